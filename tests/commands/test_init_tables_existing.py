"""`dbctl init-tables` where something is there already: views, half-made tables, other schemas, tables in a circle."""

import re
from collections.abc import Mapping

import pytest
from sqlalchemy import create_engine, inspect

from tests.commands.test_init_tables_dialects import models, tables
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase

MODELS = ("--models", "models")
NOT_SQLITE = pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)
WHOLE = {
    "alpha": "",
    "beta": "alpha: Mapped[int] = mapped_column(sa.ForeignKey('alpha.id'))\n"
    "    word: Mapped[str] = mapped_column(sa.String(50), index=True)\n"
    "    mail: Mapped[str] = mapped_column(sa.String(50), unique=True)\n"
    "    __table_args__ = (sa.UniqueConstraint('alpha', 'word', name='uq_both'),)",
}
HALF = "CREATE TABLE {} (id INTEGER PRIMARY KEY, alpha INTEGER NOT NULL, word VARCHAR(50), mail VARCHAR(50))"
PARTS = {"index ix_beta_word", "unique constraint (mail)", "unique constraint uq_both (alpha, word)"}
CIRCLE = {
    "clerk": "office_id: Mapped[int | None] = mapped_column(sa.ForeignKey('office.id'))",
    "office": "head_id: Mapped[int | None] = mapped_column(sa.ForeignKey('clerk.id'))",
}


def states(quick: Dbctl, *args: str) -> Mapping[str, str]:
    return {row["table"]: row["state"] for row in quick.ok("init-tables", *MODELS, "--json", *args).json}


# --- names that are taken ---------------------------------------------------------------------------------------------


def test_a_model_of_a_view_is_there(quick: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE VIEW report AS SELECT 1 AS id")
    models(quick.cwd, report="")
    for args in ((), ("--check",), ()):
        assert states(quick, *args) == {"report": "exists (view)"}
    assert quick.ok("init-tables", *MODELS, "--dry-run").out == ""
    assert quick.ok("drop-tables", *MODELS, "--json").json == [{"table": "report", "state": "missing"}]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("CREATE MATERIALIZED VIEW report AS SELECT 1 AS id", "materialized view"),
        ("CREATE TABLE report (id int) PARTITION BY RANGE (id)", None),
    ],
)
def test_whatever_has_its_name_is_told(quick: Dbctl, database: TestDatabase, statement: str, kind: str | None) -> None:
    database.execute(statement)
    models(quick.cwd, report="")
    for args in ((), ("--check",)):
        assert states(quick, *args) == {"report": f"exists ({kind})" if kind else "exists"}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("statement", ["CREATE SEQUENCE report", "CREATE TYPE report AS (id int)"])
def test_what_has_its_name_and_can_not_be_read_is_in_its_way(
    quick: Dbctl, database: TestDatabase, statement: str
) -> None:
    database.execute(statement)
    models(quick.cwd, report="")
    assert quick("init-tables", *MODELS, "--check").code == 6
    result = quick("init-tables", *MODELS)
    assert (result.code, result.talk.count("\n")) == (1, 1), str(result)
    assert result.talk.startswith("dbctl: error: table report: ")


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_nothing_is_created_where_another_metadata_can_not_be(quick: Dbctl, database: TestDatabase) -> None:
    (quick.cwd / "models.py").write_text(
        "import sqlalchemy as sa\nfirst, second = sa.MetaData(), sa.MetaData()\n"
        "sa.Table('alpha', first, sa.Column('id', sa.Integer, primary_key=True))\n"
        "sa.Table('beta', second, sa.Column('word', sa.String))\n"
    )
    for args in ((), ("--dry-run",)):
        result = quick("init-tables", *MODELS, *args)
        assert (result.code, "can't express beta.word" in result.talk) == (1, True), str(result)
    assert tables(database) == set()


@NOT_SQLITE
def test_a_name_that_is_too_long_is_an_error_of_the_model(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, **{"x" * 70: ""})
    result = quick("init-tables", *MODELS)
    assert (result.code, result.talk.count("\n"), "xxx" in result.talk) == (1, 1, True), str(result)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_name_in_another_case_is_the_same_where_the_database_says_so(quick: Dbctl, database: TestDatabase) -> None:
    database.execute('CREATE TABLE "Report" (id INTEGER PRIMARY KEY)')
    models(quick.cwd, report="")
    for args in ((), ("--check",)):
        assert states(quick, *args) == {"report": "exists"}


# --- tables that are not whole ----------------------------------------------------------------------------------------


def test_what_a_table_lacks_is_told_and_created(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, **WHOLE)
    database.execute("CREATE TABLE alpha (id INTEGER PRIMARY KEY)")
    database.execute(HALF.format("beta"))
    parts = PARTS if database.kind == "sqlite" else PARTS | {"foreign key (alpha) to alpha"}
    missing = quick("init-tables", *MODELS, "--check", "--json")
    assert missing.code == 6
    assert {row["table"].removeprefix("beta: ") for row in missing.json if row["state"] == "missing"} == parts
    dry = quick.ok("init-tables", *MODELS, "--dry-run")
    assert dry.out.count(";\n") == len(parts)
    found = states(quick)
    assert found == {"alpha": "exists", "beta": "exists", **{f"beta: {part}": "created" for part in parts}}
    for args in ((), ("--check",)):
        assert states(quick, *args) == {"alpha": "exists", "beta": "exists"}
    engine = create_engine(database.url)
    assert {"ix_beta_word"} <= {index["name"] for index in inspect(engine).get_indexes("beta")}
    assert len(inspect(engine).get_foreign_keys("beta")) == (0 if database.kind == "sqlite" else 1)
    engine.dispose()


def test_what_was_made_whole_is_whole(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, **WHOLE)
    assert set(states(quick).values()) == {"created"}
    assert states(quick, "--check") == {"alpha": "exists", "beta": "exists"}


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_an_index_that_is_refused_is_refused_again(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, alpha="link: Mapped[str] = mapped_column(sa.String(1024), index=True)")
    first = quick("init-tables", *MODELS)
    assert (first.code, "so what was created stays: alpha" in first.talk) == (1, True), str(first)
    for args in ((), ("--dry-run",), ("--check",)):
        again = quick("init-tables", *MODELS, *args)
        assert again.code == {(): 1, ("--dry-run",): 0, ("--check",): 6}[args], str(again)
        assert "ix_alpha_link" in again.talk + again.out
    database.execute("ALTER TABLE alpha MODIFY link VARCHAR(100)")
    assert states(quick) == {"alpha": "exists", "alpha: index ix_alpha_link": "created"}


# --- errors of DDL ----------------------------------------------------------------------------------------------------


@NOT_SQLITE
def test_an_error_names_table_and_line(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, alpha="", beta="name: Mapped[int] = mapped_column(server_default=sa.text('ON'))")
    result = quick("init-tables", *MODELS)
    assert (result.code, result.talk.count("\n")) == (1, 1), str(result)
    assert "table beta: " in result.talk
    assert re.search(r'\(line \d of the statement: "name INTEGER .*DEFAULT \(?ON', result.talk), result.talk


@pytest.mark.parametrize("database", ["mariadb", "mysql"], indirect=True)
def test_all_that_can_not_be_expressed_is_told_before_anything_is_created(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, alpha="", beta="word: Mapped[str]", gamma="a: Mapped[str]\n    b: Mapped[str]")
    result = quick("init-tables", *MODELS)
    assert (result.code, result.talk.count("\n")) == (1, 1), str(result)
    assert all(f"{column} (VARCHAR requires a length" in result.talk for column in ("beta.word", "gamma.a", "gamma.b"))
    assert result.talk.startswith(f"dbctl: error: {'MariaDB' if database.kind == 'mariadb' else 'MySQL'} can't express")
    assert tables(database) == set()


# --- tables in a circle -----------------------------------------------------------------------------------------------


def test_tables_that_refer_to_each_other_come_and_go(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, **CIRCLE)
    for command, state in (("init-tables", "created"), ("drop-tables", "dropped")):
        result = quick.ok(command, *MODELS, "--json")
        assert (result.talk, {row["state"] for row in result.json}) == ("", {state})
    assert tables(database) == set()


@NOT_SQLITE
def test_they_go_too_where_their_foreign_keys_are_not_there(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, **CIRCLE)
    database.execute("CREATE TABLE clerk (id INTEGER PRIMARY KEY, office_id INTEGER)")
    database.execute("CREATE TABLE office (id INTEGER PRIMARY KEY, head_id INTEGER REFERENCES clerk (id))")
    quick.ok("drop-tables", *MODELS)
    assert tables(database) == set()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_on_sqlite_they_go_with_their_rows(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, **CIRCLE)
    quick.ok("init-tables", *MODELS)
    database.execute("INSERT INTO clerk VALUES (1, NULL)")
    database.execute("INSERT INTO office VALUES (1, 1)")
    database.execute("UPDATE clerk SET office_id = 1")
    quick.ok("drop-tables", *MODELS)
    assert tables(database) == set()


def test_too_many_tables_for_one_transaction_are_told_what_to_raise(few_locks: Dbctl) -> None:
    result = few_locks("init-tables", *MODELS)
    assert (result.code, result.talk.count("\n")) == (1, 1), str(result)[-500:]
    assert "max_locks_per_transaction" in result.talk


# --- schemas ----------------------------------------------------------------------------------------------------------

SCHEMA = '__table_args__ = {"schema": "fleet_of_tests"}'


def test_a_schema_that_is_not_there_is_named(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, ship=SCHEMA, crew="")
    checked = quick("init-tables", *MODELS, "--check")
    assert checked.code == 6
    assert "missing schemas: fleet_of_tests; missing tables: " in checked.talk
    result = quick("init-tables", *MODELS)
    assert (result.code, result.talk.count("\n")) == (1, 1), str(result)
    assert "table fleet_of_tests.ship names schema fleet_of_tests, which is not there" in result.talk


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_schemas_are_created_if_that_is_asked_for(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, ship=SCHEMA, crew="")
    assert states(quick, "--create-schemas") == {"fleet_of_tests.ship": "created", "crew": "created"}
    assert tables(database, "fleet_of_tests") == {"ship"}


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_listeners_run_as_with_create_all_and_once(quick: Dbctl, database: TestDatabase) -> None:
    models(quick.cwd, ship=SCHEMA)
    with (quick.cwd / "models.py").open("a") as file:
        file.write(
            "sa.event.listen(Base.metadata, 'before_create', sa.DDL('CREATE SCHEMA fleet_of_tests'))\n"
            "sa.event.listen(Base.metadata, 'after_create', sa.DDL('CREATE TABLE counted (id int)'))\n"
        )
    assert states(quick) == {"fleet_of_tests.ship": "created"}
    assert tables(database) == {"counted"}


def test_an_index_of_an_expression_is_there_once_it_was_created(quick: Dbctl, database: TestDatabase) -> None:
    if database.kind == "mariadb":
        pytest.skip("has no such index")
    indexes = "sa.Index('ix_lower', sa.text('(lower(word))')), sa.Index('ix_down', sa.text('id DESC'), 'word')"
    word = "word: Mapped[str] = mapped_column(sa.String(50))"
    models(quick.cwd, gamma=f"{word}\n    __table_args__ = ({indexes})")
    assert states(quick) == {"gamma": "created"}
    for args in ((), ("--check",)):
        result = quick.ok("init-tables", *MODELS, *args)
        assert "Warning" not in result.err, str(result)
    database.execute("DROP INDEX ix_lower" + (" ON gamma" if database.kind == "mysql" else ""))
    assert states(quick) == {"gamma": "exists", "gamma: index ix_lower": "created"}
