"""`dbctl profiles import`."""

import json
import sys
import tomllib

import pytest
from sqlalchemy import make_url

from dbctl.errors import ConfigError
from dbctl.profiles.compose import from_compose
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

CANARY = "hunter2canary"
SERVICES = f"[shop]\nhost=h\ndbname=shop\npassword={CANARY}\n[local]\nhost=localhost\n"


def text(dbctl: Dbctl) -> str:
    return (dbctl.cwd / "profiles.toml").read_text()


def test_a_url_becomes_a_profile_without_its_password(bare: Dbctl) -> None:
    result = bare.ok(
        "profiles", "import", "url", f"postgresql://app:{CANARY}@h/d?sslmode=require", "--as", "p", "--json"
    )
    assert result.json == [{"name": "p", "source": "url", "file": "profiles.toml"}]
    assert "dbctl: p: the URL: password is not copied; name its source" in result.err
    assert CANARY not in text(bare) + result.err
    assert bare.ok("profiles", "check", "--json").json[0]["error"] is None


def test_a_dry_run_shows_what_would_be_written(bare: Dbctl) -> None:
    (bare.cwd / "s").write_text(SERVICES)
    shown = bare.ok("profiles", "import", "pg-service", "--file", "s", "--dry-run").out
    assert list(bare.cwd.iterdir()) == [bare.cwd / "s"]
    bare.ok("profiles", "import", "pg-service", "--file", "s")
    tables = "\n".join(line for line in text(bare).splitlines() if line)
    assert "\n".join(line for line in shown.splitlines() if line) == tables
    assert CANARY not in shown + tables


def test_the_files_are_looked_for_at_home_and_here(bare: Dbctl) -> None:
    (bare.home / ".pg_service.conf").write_text(SERVICES)
    (bare.home / ".my.cnf").write_text("[client]\nhost=h\n")
    (bare.cwd / ".env").write_text("DB_ENGINE=mysql\nDB_HOST=h\n")
    bare.ok("profiles", "import", "pg-service", "shop")
    bare.ok("profiles", "import", "my-cnf", "--as", "my")
    bare.ok("profiles", "import", "dotenv", "--as", "here")
    bare.ok("profiles", "import", "env", "--as", "env", env={"DATABASE_URL": "mysql://h/d"})
    assert [row["profile"] for row in bare.ok("profiles", "check", "--json").json] == ["shop", "my", "here", "env"]


def test_all_are_imported_or_none(bare: Dbctl) -> None:
    (bare.cwd / "s").write_text(SERVICES)
    bare.ok("profiles", "add", "local", "sqlite://")
    before = text(bare)
    result = bare("profiles", "import", "pg-service", "--file", "s")
    assert (result.code, text(bare)) == (3, before)
    assert 'there is a profile "local" already; say --replace, or take another name with --as' in result.err


def test_one_that_is_there_leads_elsewhere_and_stays_what_it_is(bare: Dbctl) -> None:
    (bare.cwd / "s").write_text(SERVICES)
    (bare.cwd / "profiles.toml").write_text(
        '# ours\n[profiles.shop]  # one\nurl = "mysql://app@old:3307/x?charset=utf8mb4"\npassword_env = "PW"\n'
        'protected = true\n[profiles.shop.ssl]\nmode = "require"\n\n[profiles.other]\nurl = "sqlite://"\n'
    )
    shown = bare.ok("profiles", "import", "pg-service", "--file", "s", "--replace", "--dry-run").out
    bare.ok("profiles", "import", "pg-service", "--file", "s", "--replace")
    written = text(bare)
    assert shown.strip() in written
    profiles = tomllib.loads(written)["profiles"]
    assert profiles["shop"] == {
        "driver": "postgresql",
        "host": "h",
        "database": "shop",
        "password_env": "PW",
        "protected": True,
        "ssl": {"mode": "require"},
    }
    assert sorted(profiles) == ["local", "other", "shop"]
    bare.ok("profiles", "import", "env", "--as", "shop", "--replace", env={"DATABASE_URL": "mysql://a:b@h/d"})
    assert tomllib.loads(text(bare))["profiles"]["shop"] == {
        "url": "${DATABASE_URL}",
        "protected": True,
        "ssl": {"mode": "require"},
    }


def test_one_that_can_not_be_used_keeps_no_other_out(bare: Dbctl) -> None:
    (bare.cwd / "s").write_text(f"{SERVICES}[bad]\nport=x\n[two]\nhost=a,b\nport=5433,5434\n")
    (bare.cwd / "m").write_text("[client_a]\nssl-ca=nowhere.pem\n[client_b]\nhost=h\n")
    result = bare.ok("profiles", "import", "pg-service", "--file", "s")
    assert 'bad is left out: profiles.toml [profiles.bad]: port = "x": allowed is ' in result.err
    assert "dbctl: a is left out: " in bare.ok("profiles", "import", "my-cnf", "--file", "m").err
    assert [row["profile"] for row in bare.ok("profiles", "check", "--json").json] == ["shop", "local", "two", "b"]
    named = bare("profiles", "import", "pg-service", "bad", "--file", "s")
    assert (named.code, "bad is left out" in named.err) == (3, False), str(named)


COMPOSE = f"""
x-common: &common
  POSTGRES_USER: ${{DB_USER:-app}}
services:
  db:
    environment: {{<<: *common, POSTGRES_DB: shop, POSTGRES_PASSWORD: "${{DB_PASSWORD:?}}"}}
    ports: ["127.0.0.1:${{PORT:-5433}}:5432"]
  plain:
    environment: [POSTGRES_PASSWORD={CANARY}]
    ports: ["5434:5432/tcp"]
  my:
    image: mariadb:11
    environment: [MYSQL_DATABASE=shop, MYSQL_ROOT_PASSWORD]
    ports: [{{target: 3306, published: "3307", host_ip: 0.0.0.0}}]
  web:
    environment: {{POSTGRES_HOST: db}}
    ports: ["8000:8000"]
"""
OF_COMPOSE = {
    "db": {
        "driver": "postgresql",
        "host": "127.0.0.1",
        "port": 5499,
        "user": "app",
        "database": "shop",
        "password_env": "DB_PASSWORD",
    },
    "plain": {
        "driver": "postgresql",
        "host": "localhost",
        "port": 5434,
        "user": "postgres",
        "database": "postgres",
    },
    "my": {
        "driver": "mariadb",
        "host": "localhost",
        "port": 3307,
        "user": "root",
        "database": "shop",
        "password_env": "MYSQL_ROOT_PASSWORD",
    },
}


def test_databases_of_docker_compose_are_imported(bare: Dbctl, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare.cwd / "compose.yml").write_text(COMPOSE)
    (bare.cwd / ".env").write_text("PORT=5499\n")
    result = bare.ok("profiles", "import", "compose")
    assert tomllib.loads(text(bare))["profiles"] == OF_COMPOSE
    assert "plain: compose.yml: plain: POSTGRES_PASSWORD is not copied" in result.err
    assert CANARY not in text(bare) + result.err
    resolved = {"services": {"db": {"environment": {"MYSQL_USER": "a"}, "ports": [{"target": 3306, "published": "1"}]}}}
    (bare.cwd / "c.json").write_text(json.dumps(resolved))
    bare.ok("profiles", "import", "compose", "--file", "c.json", "--as", "json")
    assert tomllib.loads(text(bare))["profiles"]["json"] == {
        "driver": "mysql",
        "host": "localhost",
        "port": 1,
        "user": "a",
    }
    for words, problem in (
        (["web"], "compose.yml: service web is not one that has variables of an image"),
        (["wev"], 'compose.yml: there is no service wev; did you mean "web"?'),
        (["--file", ".env"], ".env: there are no services"),
    ):
        refused = bare("profiles", "import", "compose", *words)
        assert (refused.code, problem in refused.err) == (3, True), str(refused)
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ConfigError, match="which is not installed") as raised:
        from_compose(bare.cwd / "compose.yml", None, {})
    assert "docker compose config --format json" in raised.value.hint


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["url"], 2, "there is no URL"),
        (["url", "sqlite://"], 2, "name it with --as NAME"),
        (["url", "nonsense", "--as", "p"], 3, "not a database URL"),
        (["url", "oracle://h/d", "--as", "p"], 3, 'driver = "oracle": allowed is'),
        (["url", "sqlite://", "--as", "p", "--file", "x"], 2, "leave --file out"),
        (["env", "--as", "p"], 3, "the environment: there is no DATABASE_URL"),
        (["dotenv", "--as", "p"], 3, ".env: can't be read: No such file"),
        (["pg-service", "--file", "s", "--as", "p"], 2, "--as names one profile, and there are 2"),
        (["pg-service", "x", "--file", "s"], 3, "there is no [x]"),
        (["nonsense"], 2, "is not one of"),
    ],
)
def test_what_can_not_be_imported_is_told(words: list[str], code: int, problem: str, bare: Dbctl) -> None:
    (bare.cwd / "s").write_text(SERVICES)
    result = bare("profiles", "import", *words)
    assert (result.code, result.out) == (code, "")
    assert problem in result.err
    assert not (bare.cwd / "profiles.toml").exists()


def test_what_was_imported_connects(server_database: TestDatabase, bare: Dbctl) -> None:
    url = make_url(server_database.url)
    parts = {"ENGINE": url.get_backend_name(), "HOST": url.host, "PORT": url.port, "NAME": url.database}
    lines = [f"DB_{key}={value}" for key, value in (parts | {"USER": url.username, "PASSWORD": url.password}).items()]
    (bare.cwd / ".env").write_text("\n".join(lines))
    bare.ok("profiles", "import", "dotenv", "--as", "p")
    assert str(url.password) not in text(bare)
    assert bare("ping", "-p", "p").code == 3
    bare.ok("ping", "-p", "p", env={"DB_PASSWORD": str(url.password)})
