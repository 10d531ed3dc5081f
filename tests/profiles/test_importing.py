"""Profiles are made of what other programs connect by; no password is copied, nothing is dropped in silence."""

from pathlib import Path
from typing import Any

import pytest

from dbctl.errors import ConfigError
from dbctl.profiles import Profiles
from dbctl.profiles.importing import Found, from_dotenv, from_url, from_variables
from dbctl.profiles.option_files import from_client_groups, from_services, service_file
from dbctl.profiles.settings import nested
from tests.profiles.loading import CANARY

PG = {"driver": "postgresql"}
PLACE = "the environment"


def file(content: str) -> Path:
    """Write a file into the working directory, which is the test's own."""
    Path("source").write_text(content, encoding="utf-8")
    return Path("source")


NOT_READ = "source is not read when the profile is used: name it as env_file in the profile file, or export"


def dotenv(content: str, entry: str | None = None, **environ: str) -> Found:
    return from_dotenv(file(content), entry, environ)[0]


@pytest.mark.parametrize(
    ("url", "values"),
    [
        ("postgresql://u@h:5433/d", PG | {"user": "u", "host": "h", "port": 5433, "database": "d"}),
        ("postgresql+psycopg://h/d", PG | {"host": "h", "database": "d"}),
        ("mysql+mysqldb://h/5", {"driver": "mysql", "host": "h", "database": "5"}),
        ("sqlite:///dev.db", {"driver": "sqlite", "database": "dev.db"}),
        ("postgresql:///d?host=/run", PG | {"database": "d", "query.host": "/run"}),
        ("postgresql://h?sslmode=require&keepalives=1&connect_timeout=3",
         PG | {"host": "h", "ssl.mode": "require", "query.keepalives": "1", "connect_timeout": 3}),
        ("mysql://h?ssl_mode=VERIFY_CA&charset=utf8mb4",
         {"driver": "mysql", "host": "h", "ssl.mode": "verify-ca", "query.charset": "utf8mb4"}),
        ("postgresql://$%7BX%7D@h", PG | {"host": "h", "user": "$${X}"}),
    ],
)  # fmt: skip
def test_a_url_is_taken_apart(url: str, values: dict[str, Any]) -> None:
    found = from_url(url)
    assert found.values == values
    assert found.notes == []


@pytest.mark.parametrize(
    ("url", "note"),
    [
        (f"postgresql://u:{CANARY}@h/d", "the URL: password is not copied; name its source"),
        (f"postgresql://h/d?sslpassword={CANARY}", "the URL: sslpassword is not copied"),
        ("postgresql:///d", "no host is named: localhost is taken"),
        ("postgresql://h/d?sslmode=allow", "ssl.mode = allow has no like; prefer is taken"),
        ("postgresql://h/d?sslrootcert=system", "ssl.ca = system is not taken over"),
        ("postgresql://h/d?connect_timeout=0", "connect_timeout = 0, no limit, is not taken over"),
    ],
)
def test_what_can_not_be_taken_over_is_told(url: str, note: str) -> None:
    found = from_url(url)
    assert note in "\n".join(found.notes)
    assert CANARY not in str(found)


@pytest.mark.parametrize("text", ["${X}", "$${X}", "a${X}$${Y}$", "$X", "$${", "$$${X}"])
def test_nothing_in_a_value_is_filled_in(text: str) -> None:
    found = Found(values={"driver": "sqlite"})
    found.take("application_name", text, "x")
    profiles = Profiles.of(Path("p.toml"), {"profiles": {"p": nested(found.values)}}, {"X": "filled", "Y": "filled"})
    assert profiles.select("p").application_name == text


def test_a_url_with_a_password_is_read_from_its_variable() -> None:
    found = from_variables({"DATABASE_URL": f"postgres://u:{CANARY}@h/d"}, None, PLACE)
    assert found.values == {"url": "${DATABASE_URL}"}
    named = from_variables({"SHOP_URL": "mysql://u@h/d", "DATABASE_URL": "x://y"}, "SHOP_URL", PLACE)
    assert named.values == {"driver": "mysql", "user": "u", "host": "h", "database": "d"}
    foreign = from_variables({"DATABASE_URL": f"postgresql+psycopg://u:{CANARY}@h/d"}, None, PLACE)
    assert foreign.values == PG | {"user": "u", "host": "h", "database": "d"}
    assert "password is not copied" in foreign.notes[0]
    assert CANARY not in f"{found}{foreign}"


@pytest.mark.parametrize(
    ("variables", "entry", "values"),
    [
        ({"DB_ENGINE": "django.db.backends.postgresql", "DB_NAME": "d", "DB_USER": "u", "DB_PASSWORD": CANARY,
          "DB_HOST": "h", "DB_PORT": "5432"}, None,
         PG | {"host": "h", "port": 5432, "database": "d", "user": "u", "password_env": "DB_PASSWORD"}),
        ({"DB_ENGINE": "django.db.backends.sqlite3", "DB_NAME": "dev.db", "DB_USER": "u", "DB_HOST": ""}, None,
         {"driver": "sqlite", "database": "dev.db"}),
        ({"DB_CONNECTION": "pgsql", "DB_HOST": "h", "DB_DATABASE": "d", "DB_USERNAME": "u"}, None,
         PG | {"host": "h", "database": "d", "user": "u"}),
        ({"POSTGRES_SERVER": "h", "POSTGRES_DB": "d", "POSTGRES_PASSWORD_FILE": "/run/pw"}, None,
         PG | {"host": "h", "database": "d", "password_file": "/run/pw"}),
        ({"PGHOST": "/run/pg", "PGDATABASE": "d", "PGSSLMODE": "require", "PGPASSWORD": CANARY}, None,
         PG | {"query.host": "/run/pg", "database": "d", "ssl.mode": "require", "password_env": "PGPASSWORD"}),
        ({"MYSQL_HOST": "h", "MYSQL_DATABASE": "d", "MYSQL_USER": "1"}, None,
         {"driver": "mysql", "host": "h", "database": "d", "user": "1"}),
        ({"SHOP_ENGINE": "mysql", "SHOP_HOST": "h", "DB_HOST": "other"}, "shop", {"driver": "mysql", "host": "h"}),
    ],
)  # fmt: skip
def test_the_parts_in_variables_are_put_together(
    variables: dict[str, str], entry: str | None, values: dict[str, Any]
) -> None:
    found = from_variables(variables, entry, PLACE)
    assert found.values == values
    assert CANARY not in str(found)


def test_variables_that_are_not_taken_over_are_told() -> None:
    variables = {"DB_ENGINE": "mysql", "DB_HOST": "h", "DB_POOL": "9", "POSTGRES_DB": "d", "DBCTL_PROFILE": "x"}
    assert from_variables(variables, None, PLACE).notes == [
        "the environment: the POSTGRES variables are not looked at; name POSTGRES to import them",
        "the environment: DB_POOL is not taken over",
    ]


@pytest.mark.parametrize(
    ("variables", "entry", "problem"),
    [
        ({}, None, "there is no DATABASE_URL, nor DB_, POSTGRES_, PG or MYSQL_ variables"),
        ({"MYSQL_ROOT_PASSWORD": "x"}, None, "there is no DATABASE_URL"),
        ({"DB_HOST": "h"}, None, "DB_ENGINE is not there; set it to postgresql"),
        ({"DB_HOST": "h"}, "SHOP", "there is no variable SHOP, nor any SHOP_HOST"),
        ({"X": f"u:{CANARY}"}, "X", "X: not a database URL"),
    ],
)
def test_an_environment_without_a_database_is_told(variables: dict[str, str], entry: str | None, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_variables(variables, entry, PLACE)
    assert problem in str(caught.value)
    assert CANARY not in str(caught.value)


def test_an_environment_file_is_read_as_others_read_it() -> None:
    found = dotenv(
        "# app\nDEBUG=1\nexport DB_ENGINE = mysql\nDB_HOST=\"h-${STAGE}${NONE:-x}\" # there\nDB_USER='u # ${STAGE}'\n"
        f'DB_PASSWORD={CANARY}#x # pw\nDB_NAME=shop # it\nDB_APPNAME="a \\"b\\""\nDB_PORT=\n',
        STAGE="test",
    )
    assert found.values == {
        "driver": "mysql", "host": "h-testx", "user": "u # $${STAGE}", "password_env": "DB_PASSWORD",
        "database": "shop", "application_name": 'a "b"',
    }  # fmt: skip
    assert found.notes == [f"{NOT_READ} DB_PASSWORD"]


def test_an_environment_files_url_may_be_put_together() -> None:
    found = dotenv(f"PW={CANARY}\nDATABASE_URL=postgresql://u:${{PW}}@h/d\n")
    assert found.values == {"url": "${DATABASE_URL}"}
    assert f"{NOT_READ} DATABASE_URL" in found.notes


SERVICES = f"""
# ours
[shop]
host=db.example.com
port=5433
dbname=shop
user=app
password={CANARY}
sslmode=verify-full
sslrootcert=/ca.pem
keepalives=1
passfile=/x
user=second

[local]
dbname=here
"""


def test_services_are_read_as_libpq_reads_them() -> None:
    shop, local = from_services(file(SERVICES), None)
    assert (shop.name, local.name) == ("shop", "local")
    assert shop.values == PG | {
        "host": "db.example.com", "port": 5433, "database": "shop", "user": "app", "ssl.mode": "verify-full",
        "ssl.ca": "/ca.pem", "query.keepalives": "1",
    }  # fmt: skip
    told = "\n".join(shop.notes)
    assert "source [shop]: passfile is not taken over" in told
    assert "source [shop]: password is not copied" in told
    assert local.values == PG | {"database": "here", "host": "localhost"}
    assert CANARY not in str(shop)


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("host=a,b\nport=5433,", {"hosts": ["a:5433", "b"]}),
        ("host=a,::1\nport=5433,5434", {"hosts": ["a:5433", "[::1]:5434"]}),
        ("host=a,b\nport=5433", {"hosts": ["a", "b"], "port": 5433}),
        ("host=/run/a,b\nport=1,2", {"query.host": "/run/a,b", "query.port": "1,2"}),
        ("host=a,b\nhostaddr=::1,::2", {"host": "a,b", "query.hostaddr": "::1,::2"}),
    ],
)
def test_several_hosts_of_a_service_are_a_profiles(said: str, values: dict[str, object]) -> None:
    assert from_services(file(f"[s]\n{said}\n"), None)[0].values == PG | values


def test_one_service_can_be_named() -> None:
    assert [found.name for found in from_services(file(SERVICES), "local")] == ["local"]
    with pytest.raises(ConfigError, match=r'source: there is no \[shp\]; did you mean "shop"\?'):
        from_services(file(SERVICES), "shp")
    with pytest.raises(ConfigError, match="nowhere: can't be read: No such file"):
        from_services(Path("nowhere"), None)
    with pytest.raises(ConfigError, match=r"there is no \[client\]"):
        from_services(file("# nothing\n"), None)


def test_the_service_file_is_where_libpq_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert service_file({}) == Path("/home/me/.pg_service.conf")
    assert service_file({"PGSERVICEFILE": "/x"}) == Path("/x")


OPTIONS = f"""
!includedir /etc/mysql/conf.d
[mysql]
prompt = x
[client]
user = app
password = "{CANARY}#\\"x"
ssl-mode = REQUIRED
[client_shop]
host=my.example.com # there
port = 3307
default_character_set = utf8mb4
socket = "/run/my sql.sock"
pager
ssl-ca='/ca.pem'
[clientlocal]
skip-ssl
user = 'it\\'s'
"""


def test_client_groups_are_read_as_mysql_reads_them() -> None:
    client, shop, local = from_client_groups(file(OPTIONS), None)
    mysql = {"driver": "mysql"}
    assert (client.name, shop.name, local.name) == ("client", "shop", "local")
    assert client.values == mysql | {"user": "app", "ssl.mode": "require", "host": "localhost"}
    assert shop.values == mysql | {
        "user": "app", "ssl.mode": "require", "host": "my.example.com", "port": 3307, "query.charset": "utf8mb4",
        "query.unix_socket": "/run/my sql.sock", "ssl.ca": "/ca.pem",
    }  # fmt: skip
    assert local.values == mysql | {"user": "it's", "ssl.mode": "disable", "host": "localhost"}
    assert client.notes[0] == "source, line 2: !includedir is not followed; import its file with --file"
    assert "source [client_shop]: pager is not taken over" in shop.notes
    assert CANARY not in f"{client}{shop}{local}"


def test_a_client_group_is_named_whole_or_by_its_suffix() -> None:
    assert [found.name for found in from_client_groups(file(OPTIONS), "shop")] == ["shop"]
    assert [found.name for found in from_client_groups(file(OPTIONS), "client_shop")] == ["shop"]
    with pytest.raises(ConfigError, match=r"there is no \[mysql\]"):
        from_client_groups(file(OPTIONS), "mysql")
