"""`dbctl drop-tables --in-batches`."""

import pytest

from dbctl.errors import ConnectError
from dbctl.tables import dropping
from tests.commands.test_init_tables_dialects import models, tables
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked, of_tests

MODELS = ("--models", "models")
CHAIN = {
    "alpha": "",
    "beta": "alpha: Mapped[int] = mapped_column(sa.ForeignKey('alpha.id'))",
    "gamma": "beta: Mapped[int] = mapped_column(sa.ForeignKey('beta.id'))",
    "clerk": "office_id: Mapped[int | None] = mapped_column(sa.ForeignKey('office.id'))",
    "office": "head_id: Mapped[int | None] = mapped_column(sa.ForeignKey('clerk.id'))",
}


@pytest.fixture
def in_twos(quick: Dbctl, monkeypatch: pytest.MonkeyPatch) -> Dbctl:
    """Dbctl with batches of two tables."""
    monkeypatch.setattr(dropping, "_BATCH", 2)
    return of_tests(quick)


def test_tables_that_refer_to_each_other_go_in_batches(in_twos: Dbctl, database: TestDatabase) -> None:
    models(in_twos.cwd, **CHAIN)
    in_twos.ok("init-tables", *MODELS)
    database.execute("CREATE TABLE other (id INTEGER PRIMARY KEY)")
    shown = in_twos.ok("drop-tables", *MODELS, "--in-batches", "--dry-run")
    assert shown.out.count("DROP TABLE") == len(CHAIN)
    assert tables(database) == {*CHAIN, "other"}
    result = in_twos.ok("drop-tables", *MODELS, "--in-batches", "--json")
    assert {row["table"]: row["state"] for row in result.json} == dict.fromkeys(CHAIN, "dropped")
    assert tables(database) == {"other"}


def test_what_went_before_a_batch_that_fails_is_named(in_twos: Dbctl, database: TestDatabase) -> None:
    chain = {name: CHAIN[name] for name in ("alpha", "beta", "gamma")}
    models(in_twos.cwd, **chain)
    in_twos.ok("init-tables", *MODELS)
    database.execute("INSERT INTO alpha VALUES (1)")
    database.execute("CREATE TABLE fan (id INTEGER, alpha INTEGER NOT NULL, FOREIGN KEY (alpha) REFERENCES alpha (id))")
    database.execute("INSERT INTO fan VALUES (1, 1)")
    result = in_twos("drop-tables", *MODELS, "--in-batches")
    assert (result.code, result.out, result.talk.count("\n")) == (1, "", 1), str(result)
    assert "; what was dropped in batches is gone: gamma, beta; when it is mended, a further run" in result.talk
    assert tables(database) == {"alpha", "fan"}
    database.execute("DROP TABLE fan")
    in_twos.ok("drop-tables", *MODELS, "--in-batches")
    assert tables(database) == set()


@pytest.mark.parametrize("database", ["mysql", "mariadb"], indirect=True)
def test_what_a_batch_that_fails_has_dropped_by_itself_is_named_too(in_twos: Dbctl, database: TestDatabase) -> None:
    models(in_twos.cwd, **{name: CHAIN[name] for name in ("alpha", "beta")})
    in_twos.ok("init-tables", *MODELS)
    database.execute("CREATE TABLE fan (id INTEGER, alpha INTEGER NOT NULL, FOREIGN KEY (alpha) REFERENCES alpha (id))")
    result = in_twos("drop-tables", *MODELS, "--in-batches")
    assert (result.code, "; what was dropped in batches is gone: beta; " in result.talk) == (1, True), str(result)
    assert tables(database) == {"alpha", "fan"}


def test_no_batch_is_dropped_after_the_lock_was_lost(
    dbctl: Dbctl, server_database: TestDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(_lock: object) -> None:
        raise ConnectError("the lock was lost", "lock")

    monkeypatch.setattr(dropping, "_BATCH", 2)
    monkeypatch.setattr("dbctl.work.session_locks.SessionLock.check", check)
    in_twos = of_tests(forked(dbctl, server_database))
    models(in_twos.cwd, alpha="")
    in_twos.ok("init-tables", *MODELS)
    result = in_twos("drop-tables", *MODELS, "--in-batches", "--lock", "nightly")
    assert (result.code, "the lock was lost" in result.talk) == (4, True), str(result)
    assert tables(server_database) == (set() if server_database.dialect == "mysql" else {"alpha"})


def test_more_tables_than_one_transaction_has_locks_for_go_in_batches(
    few_locks: Dbctl, few_locks_database: TestDatabase
) -> None:
    for first in range(0, 1500, 100):
        some = range(first, first + 100)
        few_locks_database.execute("".join(f"CREATE TABLE t{number} (id INTEGER);" for number in some))
    result = few_locks("drop-tables", *MODELS)
    assert (result.code, result.talk.count("\n")) == (1, 1), str(result)[-500:]
    assert result.talk.endswith("drop the tables in batches with --in-batches\n")
    dropped = few_locks.ok("drop-tables", *MODELS, "--in-batches", "--json").json
    assert [row["state"] for row in dropped] == ["dropped"] * 1500
    assert tables(few_locks_database) == set()
