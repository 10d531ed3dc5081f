"""`dbctl drop-tables`."""

import pytest

from tests.commands.test_init_tables_dialects import models, tables
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

SAMPLE = ["team", "hero", "transfer_log"]


def states(dbctl: Dbctl, *args: str) -> dict[str, str]:
    return {row["table"]: row["state"] for row in dbctl.ok("drop-tables", *args, "--json").json}


def test_the_tables_go_and_what_is_in_them(quick: Dbctl, database: TestDatabase) -> None:
    quick.ok("init-tables")
    quick.ok("teams", "add", "Preventers")
    quick.ok("heroes", "add", "Spider-Boy", "--secret-name", "Pedro", "--team", "Preventers")
    assert states(quick) == dict.fromkeys(SAMPLE, "dropped")
    assert tables(database) == set()
    quick.ok("init-tables")
    assert quick.ok("teams", "list", "--json").json == []


def test_tables_that_are_not_there_are_no_error_and_others_stay(quick: Dbctl, database: TestDatabase) -> None:
    quick.ok("init-tables")
    database.execute("CREATE TABLE other (id INTEGER PRIMARY KEY)")
    database.execute("DROP TABLE transfer_log")
    assert states(quick) == {"team": "dropped", "hero": "dropped", "transfer_log": "missing"}
    assert tables(database) == {"other"}


def test_a_dry_run_shows_the_ddl_and_drops_nothing(quick: Dbctl, database: TestDatabase) -> None:
    quick.ok("init-tables")
    result = quick.ok("drop-tables", "--dry-run")
    assert " ".join(result.out.split()) == "DROP TABLE transfer_log; DROP TABLE hero; DROP TABLE team;"
    assert tables(database) == set(SAMPLE)


def test_the_models_tables_are_those_that_go(quick: Dbctl, database: TestDatabase) -> None:
    quick.ok("init-tables")
    models(quick.cwd, alpha="", beta='alpha: Mapped[int] = mapped_column(sa.ForeignKey("alpha.id"))')
    quick.ok("init-tables", "--models", "models")
    assert states(quick, "--models", "models") == {"alpha": "dropped", "beta": "dropped"}
    assert tables(database) == set(SAMPLE)


def test_a_table_that_others_refer_to_stays_or_what_is_gone_is_said(quick: Dbctl, database: TestDatabase) -> None:
    quick.ok("init-tables")
    database.execute("INSERT INTO team (name) VALUES ('Preventers')")
    database.execute("CREATE TABLE fan (id INTEGER, team INTEGER NOT NULL, FOREIGN KEY (team) REFERENCES team (id))")
    database.execute("INSERT INTO fan VALUES (1, 1)")
    result = quick("drop-tables")
    assert (result.code, result.out, result.talk.count("\n")) == (1, "", 2), str(result)
    if database.dialect == "mysql":
        assert "commits DDL by itself, so what was dropped is gone: transfer_log, hero; when it" in result.err
        assert tables(database) == {"team", "fan"}
    else:
        assert tables(database) == {*SAMPLE, "fan"}


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_what_is_gone_of_another_metadata_is_said_too(quick: Dbctl, database: TestDatabase) -> None:
    (quick.cwd / "models.py").write_text(
        "import sqlalchemy as sa\nfirst, second = sa.MetaData(), sa.MetaData()\n"
        "for name, metadata in (('alpha', first), ('beta', second)):\n"
        "    sa.Table(name, metadata, sa.Column('id', sa.Integer, primary_key=True))\n"
    )
    quick.ok("init-tables", "--models", "models")
    database.execute("CREATE TABLE fan (id INTEGER, beta INTEGER NOT NULL, FOREIGN KEY (beta) REFERENCES beta (id))")
    for args in ((), ("--in-batches",)):
        result = quick("drop-tables", "--models", "models", *args)
        assert (result.code, "is gone: alpha; " in result.talk) == (1, True), str(result)
        quick.ok("init-tables", "--models", "models")


def test_a_protected_profile_asks_for_its_name(dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text('default = "p"\n[profiles.p]\nurl = "sqlite:///p.db"\nprotected = true\n')
    dbctl.ok("init-tables", "--confirm", "p")
    assert dbctl("drop-tables").code == 8
    dbctl.ok("drop-tables", "--dry-run")
    dbctl.ok("init-tables", "--check")
    dbctl.ok("drop-tables", "--confirm", "p")
    assert dbctl("init-tables", "--check").code == 6


@pytest.mark.parametrize("command", ["init-tables", "drop-tables"])
def test_a_database_file_that_is_not_there_is_made_by_init_tables_alone(dbctl: Dbctl, command: str) -> None:
    result = dbctl("--url", "sqlite:///x.db", command)
    assert (result.code == 0) is (dbctl.cwd / "x.db").exists() is (command == "init-tables"), str(result)
