"""`--dry-run` and `--sql`: what would be run, and nothing stays of it."""

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked
from tests.migrations.conftest import MakeService
from tests.migrations.test_commands import tables


def test_a_dry_run_shows_the_sql_and_leaves_nothing(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service()
    on_database.ok("migrate", "upgrade", "a1")
    result = on_database.ok("migrate", "upgrade", "--dry-run")
    for part in ("CREATE TABLE runs (", "INSERT INTO runs (revision) VALUES ('a2')", "SET version_num='a3'"):
        assert part in result.out
    assert "CREATE TABLE item" not in result.out
    assert tables(database) == {"alembic_version", "item"}
    assert on_database.ok("migrate", "current", "--json").json[0]["revision"] == "a1"
    assert result.err.splitlines()[-1] == "dbctl: dry run: all of it is rolled back, nothing is committed"


def test_a_dry_run_finds_what_the_database_refuses_where_it_can_be_run(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service(history="broken")
    result = on_database("migrate", "upgrade", "--dry-run")
    assert result.code == (0 if database.dialect == "mysql" else 1)
    assert tables(database) <= {"alembic_version"}


def test_a_dry_run_advises_no_tables_of_dbctls(dbctl: Dbctl, service: MakeService) -> None:
    service(history="broken")
    told = dbctl("migrate", "upgrade", "--dry-run").err
    assert "no such table: missing_table" in told
    assert "init-tables" not in told


def test_a_dry_run_shows_a_percent_sign_as_it_is_written(on_database: Dbctl, service: MakeService) -> None:
    made = service()
    body = "op.execute(\"UPDATE runs SET revision = 'x' WHERE revision LIKE 'b%'\")\n"
    body += "op.execute(sa.table('runs', sa.column('revision', sa.String)).insert().values(revision='5 %'))"
    made.add("a4", "a3", body)
    shown = on_database.ok("migrate", "upgrade", "--dry-run").out
    assert "LIKE 'b%';" in shown
    assert "VALUES ('5 %');" in shown


@pytest.mark.parametrize("env", ["generic", "async"])
def test_sql_shows_a_percent_sign_as_it_is_written(env: str, on_database: Dbctl, service: MakeService) -> None:
    made = service(env)
    body = "op.execute(\"UPDATE runs SET revision = 'x' WHERE revision LIKE 'b%'\")\n"
    body += "op.execute(sa.table('runs', sa.column('revision', sa.String)).insert().values(revision='5 %'))"
    made.add("a4", "a3", body)
    shown = on_database.ok("migrate", "upgrade", "--sql").out
    assert "LIKE 'b%';" in shown
    assert "VALUES ('5 %');" in shown


def test_a_dry_run_rolls_back_what_an_env_commits_by_itself(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    made = service()
    whole = "target_metadata=target_metadata\n"
    per = f"connection=connection, transaction_per_migration=True, {whole}"
    made.edit("migrations/env.py", f"connection=connection, {whole}", per)
    made.edit(
        "migrations/env.py",
        "            context.run_migrations()\n\n\nif",
        "            context.run_migrations()\n        connection.commit()\n\n\nif",
    )
    on_database.ok("migrate", "upgrade", "--dry-run")
    assert tables(database) <= {"alembic_version"}


TENANTS = """
from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
for schema in ("one", "two"):
    connection.execute(text(f"{before}SET search_path TO {{schema}}"))
    connection.commit()
    context.configure(connection=connection, version_table_schema=schema)
    assert connection.scalar(text("SELECT current_schema()")) == schema
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
"""


def test_a_dry_run_goes_through_all_schemas_of_an_env_and_lets_it_write_nothing(
    dbctl: Dbctl, postgres_database: TestDatabase, service: MakeService
) -> None:
    made = service()
    run = forked(dbctl, postgres_database)
    for before, code in (("CREATE SCHEMA IF NOT EXISTS {schema}; ", 1), ("", 0)):
        (made.root / "migrations/env.py").write_text(TENANTS.format(before=before))
        result = run("migrate", "upgrade", "--dry-run")
        assert result.code == code, str(result)
        if code:
            assert "a dry run stops here: migrations/env.py commits by itself what it has written" in result.err
            assert postgres_database.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'one'") == []
            postgres_database.execute("CREATE SCHEMA one")
            postgres_database.execute("CREATE SCHEMA two")
    assert result.out.count("CREATE TABLE item") == 2
    assert (
        postgres_database.execute(
            "SELECT 1 FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname IN ('one', 'two')"
        )
        == []
    )


def test_where_the_second_of_several_schemas_fails_the_first_is_told_to_stay(
    dbctl: Dbctl, postgres_database: TestDatabase, service: MakeService
) -> None:
    made = service()
    run = forked(dbctl, postgres_database)
    for statement in ("CREATE SCHEMA one", "CREATE SCHEMA two", "CREATE TABLE two.runs ()"):
        postgres_database.execute(statement)
    (made.root / "migrations/env.py").write_text(TENANTS.format(before=""))
    checked = run("migrate", "check")
    assert "a1 (create items in schema one), a2" in checked.err, str(checked)
    assert "a1 (create items in schema two), a2" in checked.err
    result = run("migrate", "upgrade")
    assert result.code == 1, str(result)
    assert " in schema two: " in result.talk
    assert "nothing of it stays, nor of what was run before it: a1; what was run before that stays: " in result.talk
    assert "a1, a2, a3 in schema one" in result.talk
    rows = run.ok("migrate", "current", "--json").json
    assert [(row["revision"], row["description"]) for row in rows] == [
        ("a3", "add a price in schema one"), (None, "no revision is applied in schema two"),
    ]  # fmt: skip


def test_a_dry_run_says_at_which_revision_the_sql_ends(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    made = service()
    made.add("a4", "a3", "for row in op.get_bind().execute(sa.text('SELECT 1')).all():\n    op.execute('SELECT 2')")
    result = on_database.ok("migrate", "upgrade", "--dry-run")
    assert "dbctl: the SQL ends before revision a4, which asks the live database\n" in result.err
    assert "INSERT INTO runs (revision) VALUES ('a3')" in result.out
    assert tables(database) <= {"alembic_version"}


def test_a_dry_run_stops_at_an_autocommit_block(
    dbctl: Dbctl, postgres_database: TestDatabase, service: MakeService
) -> None:
    made = service()
    made.add("a4", "a3", "with op.get_context().autocommit_block():\n    op.execute('VACUUM item')")
    (dbctl.cwd / "profiles.toml").write_text(postgres_database.toml, encoding="utf-8")
    result = dbctl.with_env(**postgres_database.env)("migrate", "upgrade", "--dry-run")
    assert result.code == 1
    assert "revision a4" in result.err
    assert "a dry run stops here: the revision has an autocommit_block, which no rollback undoes" in result.err
    assert tables(postgres_database) == set()


def test_sql_can_be_run_as_it_is_and_asks_nobody(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service()
    result = on_database.ok("migrate", "upgrade", "--sql", env=dict.fromkeys(database.env, ""))
    for statement in result.out.split(";\n"):
        text = "\n".join(line for line in statement.splitlines() if line and not line.startswith("--"))
        if text and text.strip().upper() not in {"BEGIN", "COMMIT"}:
            database.execute(text.strip().rstrip(";"))
    assert on_database.ok("migrate", "current", "--json").json[0]["revision"] == "a3"


def test_sql_begins_and_ends_where_it_is_told(dbctl: Dbctl, service: MakeService) -> None:
    service()
    up = dbctl.ok("migrate", "upgrade", "a1:a2", "--sql").out
    assert "CREATE TABLE runs" in up
    assert "item" not in up
    assert "DROP TABLE runs" in dbctl.ok("migrate", "downgrade", "a2:a1", "--sql").out
    assert dbctl("migrate", "downgrade", "a1", "--sql").code == 2
    wrong_way = dbctl.ok("migrate", "upgrade", "a2:a1", "--sql")
    assert "no revision is to be run for upgrade from a2 to a1" in wrong_way.err
    assert "version_num='a3'" in dbctl.ok("migrate", "stamp", "a1:a3", "--sql").out
    assert not list(dbctl.cwd.glob("*.db"))


def test_sql_is_written_for_no_other_kind_of_database(dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    made.edit("migrations/env.py", 'url = config.get_main_option("sqlalchemy.url")', 'url = "postgresql://u@h/d"')
    told = "migrations/env.py has SQL written for postgresql, and profile development is SQLite; have it configure"
    result = dbctl("migrate", "upgrade", "--sql")
    assert (result.code, result.out) == (3, "")
    assert told in result.err
