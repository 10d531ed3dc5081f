"""A command gets what its first parameter says that it needs, from one table; nothing is guessed."""

from pathlib import Path

import pytest

from dbctl.cli.openers import OPENERS
from tests.cli.own import define
from tests.harness.cli import Dbctl

ASKING = {
    "Database": "needed.session.connection().scalar(text('SELECT 42'))",
    "Session": "needed.connection().scalar(text('SELECT 42'))",
    "PlainSession": "needed.connection().scalar(text('SELECT 42'))",
    "Connection": "needed.scalar(text('SELECT 42'))",
    "Connector": "needed.engine.connect().scalar(text('SELECT 42'))",
    "Connector[Engine]": "needed.engine.connect().scalar(text('SELECT 42'))",
    "Engine": "needed.connect().scalar(text('SELECT 42'))",
    "AsyncSession": "needed.sync_session.get_bind().dialect.is_async and 42",
    "Profile": "42 if needed.name == '--url' else 0",
    "Profiles": "42 if needed.url == 'sqlite://' else 0",
}


@pytest.mark.parametrize("needed", ASKING)
def test_it_gets_what_it_asks_for(own: Dbctl, needed: str) -> None:
    define(own, "ask", f"def ask(needed: {needed}) -> Found:\n    return Found({ASKING[needed]})\n")
    assert own.ok("ask", "--url", "sqlite://", "--json").json == {"answer": 42}


@pytest.mark.parametrize("kind", ["Session", "PlainSession", "Connection", "Database"])
def test_what_it_writes_is_one_unit_of_work(own: Dbctl, kind: str) -> None:
    execute = "needed.session.connection()" if kind == "Database" else "needed"
    body = f"""@writes(creates=True)
def seed(needed: {kind}, fail: bool = False) -> None:
    {execute}.execute(text("CREATE TABLE IF NOT EXISTS t (x INTEGER)"))
    {execute}.execute(text("INSERT INTO t VALUES (1)"))
    if fail:
        raise ArithmeticError
"""
    define(own, "seed", body)
    define(own, "count", "def count(needed: Session) -> Found:\n"
           "    return Found(needed.connection().scalar(text('SELECT count(*) FROM t')))\n")  # fmt: skip
    url = ("--url", "sqlite:///x.db")
    own.ok("seed", *url)
    assert own("seed", "--fail", *url).code != 0
    own.ok("seed", "--dry-run", *url)
    assert own.ok("count", *url, "--json").json == {"answer": 1}
    options = own.ok("seed", "--help").out
    assert all(term in options for term in ("--dry-run", "--confirm", "--lock", "--deadline", "--timeout"))


def test_one_that_has_the_engine_holds_the_lock_too(own: Dbctl, workdir: Path) -> None:
    body = """@writes(creates=True)
def hold(needed: Engine) -> Found:
    import pathlib
    return Found(len(list(pathlib.Path(".").glob("x.db.nightly.lock"))))
"""
    define(own, "hold", body)
    assert own.ok("hold", "--url", "sqlite:///x.db", "--lock", "nightly", "--json").json == {"answer": 1}


@pytest.mark.parametrize(
    ("signature", "shown"),
    [("needed: int", "int"), ("needed: 'list[str]'", "list"), ("needed", "nothing")],
)
def test_any_other_type_is_an_error_when_the_command_is_loaded(own: Dbctl, signature: str, shown: str) -> None:
    define(own, "seed", f"def seed({signature}) -> Found:\n    raise SystemExit('it was called')\n")
    for more in ((), ("--help",)):
        result = own("seed", *more)
        assert (result.code, result.out) == (3, ""), str(result)
        assert result.err.startswith(f"dbctl: error: command seed: its first parameter is annotated with {shown}; ")
        assert "one of Database, Session, Connection, Connector, Engine, Profile" in result.err
    assert own("--help").code == 0


def test_one_without_a_parameter_needs_nothing(own: Dbctl) -> None:
    define(own, "ask", "def ask() -> Found:\n    return Found(42)\n")
    assert own.ok("ask", "--url", "sqlite://", "--json").json == {"answer": 42}


def test_an_annotation_may_serve_two_options(own: Dbctl) -> None:
    define(own, "count", 'Number = Annotated[int, typer.Option(metavar="NUMBER")]\n\n\n'
           "def count(needed: Profile, first: Number = 1, last: Number = 2) -> Found:\n"
           "    return Found(10 * first + last)\n")  # fmt: skip
    assert own.ok("count", "--first", "3", "--last", "4", "--json").json["answer"] == 34


def test_each_type_of_the_table_is_there() -> None:
    from importlib import import_module

    for name in OPENERS:
        module, _, kind = name.rpartition(".")
        assert isinstance(getattr(import_module(module), kind), type)
