"""A database URL is understood as SQLAlchemy understands it, and besides where a password is written as it is."""

from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy.engine import make_url

from dbctl.errors import ConfigError
from dbctl.profiles import Profiles, password_of
from dbctl.profiles.urls import MASK, split_url
from tests.profiles.loading import CANARY, ProfileFile

NOWHERE = {"XDG_CONFIG_HOME": "/nowhere"}
PEM_FILES = {"ssl.ca": "/ca.pem", "ssl.cert": "/c.pem", "ssl.key": "/k.pem"}

HOSTILE = [
    "a@b",
    "a@b@c",
    "a/b",
    "/",
    "a:b",
    "::",
    "100%",
    "%41",
    "a#b",
    "a?b",
    "a?b=c&d",
    "a b",
    "a+b",
    "[::1]",
    "ü€😀",
    "${HOME}",
    "$${HOME}",
    "\\'\"`",
    "p@ss/w:rd%2F#?&=",
]


def parts_of(url: str) -> dict[str, Any]:
    """Return what SQLAlchemy makes of a URL, under a profile's keys, without what is empty."""
    parsed = make_url(url)
    parts = {
        "driver": parsed.drivername,
        "user": parsed.username,
        "password": parsed.password,
        "host": parsed.host,
        "port": str(parsed.port or ""),
        "database": parsed.database,
        "query": {key: value if isinstance(value, str) else list(value) for key, value in parsed.query.items()},
    }
    return {key: value for key, value in parts.items() if value}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://",
        "postgresql://host",
        "postgresql://host/",
        "postgresql://host/db",
        "postgresql://host:5432",
        "postgresql://host:5432/db",
        "postgresql+psycopg2://user@host/db",
        "postgresql://user:password@host/db",
        "postgresql://user:@host/db",
        "postgresql://user:password@/db",
        "postgresql://user:a:b@host/db",
        "postgresql://user:a%40b%2Fc%25@host/db",
        "postgresql://user:a+b%2Bc@host/db",
        "postgresql://us%40er:password@host/db",
        "postgresql://user@tenant:password@host/db",
        "postgresql://[::1]/db",
        "postgresql://user@[::1]:5432/db",
        "postgresql://user:password@[2001:db8::1]:5432/db",
        "postgresql:///db?host=/var/run/postgresql",
        "postgresql://host/db?options=-c%20search_path%3Dapp",
        "postgresql://host/db?target=a@b",
        "postgresql://user:password@host/db?host=a:1&host=b:2&host=c:3",
        "mysql+pymysql://user:password@host/db?charset=utf8mb4&local_infile=1",
        "mariadb://user@host/db?unix_socket=/run/mysqld/mysqld.sock",
        "mysql://user:pass#word@host/db",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///dev.db",
        "sqlite:///data/dev.db",
        "sqlite:////srv/data/dev.db",
        "sqlite:////home/me@work/dev.db",
        "sqlite:///a:b@c.db",
        "sqlite:///C:\\data\\dev.db",
        "sqlite:///file:dev.db?mode=ro&uri=true",
        "sqlite+aiosqlite:///dev.db",
    ],
)
def test_urls_are_taken_apart_as_sqlalchemy_does(url: str) -> None:
    assert split_url(url) == parts_of(url)


@pytest.mark.parametrize("name", ["my db", "a/b", "ä", "a?b", "50%"])
def test_an_encoded_database_is_decoded(name: str) -> None:
    # As libpq and SQLAlchemy 2.1 do; SQLAlchemy 2.0 left it as it was.
    assert split_url(f"postgresql://host/{quote(name, safe='')}")["database"] == name


def test_a_bare_percent_in_a_file_name_stays() -> None:
    assert split_url("sqlite:///100%.db")["database"] == "100%.db"


@pytest.mark.parametrize("password", [value for value in HOSTILE if "%" not in value])
def test_a_password_may_stand_in_a_url_as_it_is(password: str) -> None:
    assert split_url(f"postgresql://user:{password}@host:5432/db?a=b") == {
        "driver": "postgresql",
        "user": "user",
        "password": password,
        "host": "host",
        "port": "5432",
        "database": "db",
        "query": {"a": "b"},
    }


@pytest.mark.parametrize("password", ["100%", "%", "5%zz"])
def test_a_percent_that_encodes_nothing_stays_in_the_password(password: str) -> None:
    assert split_url(f"postgresql://user:{password}@host/db")["password"] == password


@pytest.mark.parametrize("password", HOSTILE)
def test_an_encoded_password_is_decoded(password: str) -> None:
    assert split_url(f"postgresql://user:{quote(password, safe='')}@host/db")["password"] == password


@pytest.mark.parametrize("value", HOSTILE)
def test_a_variable_fills_its_part_of_the_url_and_no_other(value: str, profile_file: ProfileFile) -> None:
    url = "postgresql://${V}:${V}@host:5432/${V}?options=${V}&application_name=${V}"
    profile = profile_file.profile(f'url = "{url}"', V=value)
    assert (profile.user, password_of(profile), profile.database) == (value, value, value)
    assert (profile.host, profile.port, profile.query) == ("host", 5432, {"options": value})
    assert profile.application_name == value


@pytest.mark.parametrize("value", ["a@b/c:d%41", "${OTHER}"])
def test_a_variable_may_hold_the_whole_url(value: str, profile_file: ProfileFile) -> None:
    url = f"postgresql://user:{quote(value, safe='')}@host/db"
    profile = profile_file.profile('url = "${SERVICE_URL}"', SERVICE_URL=url)
    assert (profile.driver, profile.user, password_of(profile)) == ("postgresql", "user", value)


def test_an_ipv6_host_is_shown_in_brackets(profile_file: ProfileFile) -> None:
    profile = profile_file.profile('url = "postgresql://user@[2001:db8::1]:5432/db"')
    assert profile.host == "2001:db8::1"
    assert profile.shown_url == "postgresql://user@[2001:db8::1]:5432/db"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sslmode=verify-ca", {"ssl.mode": "verify-ca"}),
        ("ssl_mode=VERIFY_IDENTITY", {"ssl.mode": "verify-full"}),
        ("ssl_mode=VERIFY_CA", {"ssl.mode": "verify-ca"}),
        ("ssl_mode=REQUIRED", {"ssl.mode": "require"}),
        ("ssl_mode=preferred", {"ssl.mode": "prefer"}),
        ("ssl_mode=DISABLED", {"ssl.mode": "disable"}),
        ("sslrootcert=/ca.pem&sslcert=/c.pem&sslkey=/k.pem", PEM_FILES),
        ("ssl_ca=/ca.pem&ssl_cert=/c.pem&ssl_key=/k.pem", PEM_FILES),
        ("connect_timeout=7&application_name=shop", {"connect_timeout": "7", "application_name": "shop"}),
        ("password=secret", {"password": "secret"}),
        ("charset=utf8mb4", {"query": {"charset": "utf8mb4"}}),
    ],
)  # fmt: skip
def test_options_that_a_profile_has_a_key_for_become_that_key(query: str, expected: dict[str, Any]) -> None:
    found = split_url(f"mysql://host/db?{query}")
    assert found == {"driver": "mysql", "host": "host", "database": "db"} | expected


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"postgresql://user:{CANARY}@host/db", f"postgresql://user:{MASK}@host/db"),
        (f"postgresql://user@host/db?password={CANARY}", f"postgresql://user:{MASK}@host/db"),
        (f"postgresql://host/db?sslpassword={CANARY}&a=b", f"postgresql://host/db?sslpassword={MASK}&a=b"),
        (f"mysql://host/db?ssl_key_password={CANARY}", f"mysql://host/db?ssl_key_password={MASK}"),
        (f"mysql://host/db?passwd={CANARY}", f"mysql://host/db?passwd={MASK}"),
        (f"mysql://host/db?PASSWORD={CANARY}&PASSWORD={CANARY}", f"mysql://host/db?PASSWORD={MASK}&PASSWORD={MASK}"),
        ("postgresql://a%40b@host:1/db?o=x%20y", "postgresql://a%40b@host:1/db?o=x+y"),
        ("sqlite:////srv/dev.db", "sqlite:////srv/dev.db"),
        ("sqlite://", "sqlite://"),
    ],
)
def test_a_shown_url_has_asterisks_for_every_secret(url: str, shown: str, profile_file: ProfileFile) -> None:
    profile = profile_file.profile(f'url = "{url}"')
    assert profile.shown_url == shown


NO_URLS = [
    CANARY,
    f"postgresql:user:{CANARY}@host/db",
    f"postgresql:/user:{CANARY}@host/db",
    f"postgresql//user:{CANARY}@host/db",
    f"://user:{CANARY}@host/db",
    f"user:{CANARY}@host/db",
    f"5432://user:{CANARY}@host/db",
    f"post gres://user:{CANARY}@host/db",
    # Here the password stands where a port would.
    f"postgresql://user:{CANARY}",
    f"postgresql://user:{CANARY}/db",
    f"postgresql://user:{CANARY}?host/db",
]


@pytest.mark.parametrize("text", [*NO_URLS, "", " "])
def test_what_is_no_url_is_refused_as_an_option_without_repeating_it(text: str) -> None:
    profiles = Profiles.load(url=text, environ=NOWHERE)
    with pytest.raises(ConfigError, match=r"\A--url: [^\n]+\Z") as caught:
        profiles.select()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("text", [*NO_URLS, " "])
def test_what_is_no_url_is_refused_as_a_variable_without_repeating_it(text: str) -> None:
    profiles = Profiles.load(environ=NOWHERE | {"DATABASE_URL": text})
    with pytest.raises(ConfigError, match=r"\ADATABASE_URL: [^\n]+\Z") as caught:
        profiles.select()
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("text", [*NO_URLS, "", " "])
def test_what_is_no_url_is_refused_in_a_file_without_repeating_it(text: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(f'url = "{text}"')
    assert message.startswith(f"{profile_file.path} [profiles.p]: ")
    assert CANARY not in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://user:4711?x={CANARY}@host",
        f"postgresql://user:4711?x={CANARY}@host/db",
        f"mysql://user:4711/7?x={CANARY}@host:1/db",
        f"postgresql://user:47,11?{CANARY}=x@host",
        f"postgresql://user:{CANARY}@host/db?x=a@b",
    ],
)
def test_what_programs_read_differently_is_refused_without_showing_what_may_be_a_password(
    url: str, profile_file: ProfileFile
) -> None:
    message = profile_file.error(f'url = "{url}"')
    assert "not a database URL that all programs read alike; write %3F for a ? in its password" in message
    assert CANARY not in message


@pytest.mark.parametrize(
    ("place", "hosts"),
    [
        ("a,b", ["a", "b"]),
        ("u@a:1,b:2", ["a:1", "b:2"]),
        ("u:p,w@[::1]:1,b", ["[::1]:1", "b"]),
    ],
)
def test_several_hosts_are_written_as_libpq_has_them(place: str, hosts: list[str]) -> None:
    found = split_url(f"postgresql://{place}/db?sslmode=require")
    assert (found["query"], found["database"], found["ssl.mode"]) == ({"host": hosts}, "db", "require")
    assert "host" not in found
