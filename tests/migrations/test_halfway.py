"""A revision that fails halfway: told with what stays, kept in the database where something does, and gone on with."""

import signal
import time

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.migrations.conftest import MakeService
from tests.migrations.test_commands import tables

FAILED = (
    "dbctl: error: revision b2 (make labels unique), statement 3 of 4 (INSERT INTO missing_table (id) VALUES (1)), "
)
KEPT = "(kept in table alembic_version_halfway)"


def commits_by_itself(database: TestDatabase) -> bool:
    return database.dialect == "mysql"


def test_what_fails_is_told_with_what_stays(on_database: Dbctl, database: TestDatabase, service: MakeService) -> None:
    service(history="broken")
    result = on_database("migrate", "upgrade")
    assert result.code == 1
    told = result.talk.splitlines()[-1]
    assert told.startswith(FAILED + "migrations/versions/b2_halfway.py, line 15: ")
    if commits_by_itself(database):
        assert "; 2 statements of it stay, and what was run before it stays: b1; " in told
        assert told.endswith(
            "with --resume; or mend the database by hand, and say so with: dbctl migrate stamp REVISION"
        )
        assert tables(database) == {"alembic_version", "alembic_version_halfway", "box", "label"}
    else:
        assert told.endswith("; nothing of it stays, nor of what was run before it: b1")
        assert tables(database) <= {"alembic_version"}


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_a_query_that_fails_is_named_though_it_is_not_counted(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service().add("a4", "a3", "op.add_column('runs', sa.Column('n', sa.Integer))\nop.execute('SELECT nope')")
    told = on_database("migrate", "upgrade").talk.splitlines()[-1]
    assert told.startswith("dbctl: error: revision a4 (a4), SELECT nope, migrations/versions/a4"), told


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_an_invalid_index_that_is_left_is_told(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    body = "op.execute(\"INSERT INTO runs VALUES ('x'), ('x')\")\nwith op.get_context().autocommit_block():\n"
    service().add(
        "a4", "a3", f"{body}    op.create_index('one', 'runs', ['revision'], unique=True, postgresql_concurrently=True)"
    )
    told = on_database("migrate", "upgrade").talk.splitlines()[-1]
    assert "; index one is left, and invalid; take it away: DROP INDEX CONCURRENTLY one; " in told, told
    database.execute("DROP INDEX one")
    database.execute("DELETE FROM runs WHERE ctid = (SELECT max(ctid) FROM runs WHERE revision = 'x')")
    on_database.ok("migrate", "upgrade", "--resume")


def test_with_a_transaction_for_each_what_was_run_before_stays(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    made = service(history="broken")
    whole = "target_metadata=target_metadata\n"
    made.edit(
        "migrations/env.py",
        f"connection=connection, {whole}",
        f"connection=connection, transaction_per_migration=True, {whole}",
    )
    told = on_database("migrate", "upgrade").talk.splitlines()[-1]
    assert "and what was run before it stays: b1" in told
    assert ("nothing of it stays, " in told) != commits_by_itself(database)
    assert on_database.ok("migrate", "current", "--json").json[0]["revision"] == "b1"


def test_current_and_check_show_it_until_it_is_stamped(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service(history="broken")
    on_database("migrate", "upgrade")
    if not commits_by_itself(database):
        assert on_database.ok("migrate", "current", "--json").json[0]["revision"] is None
        return
    rows = on_database.ok("migrate", "current", "--json").json
    assert [row["revision"] for row in rows] == ["b1", "b2"]
    state = (
        "half-way in the upgrade of b2: 2 statements of it stay, then INSERT INTO missing_table (id) VALUES (1) failed"
    )
    assert rows[1]["state"] == f"{state} {KEPT}"
    assert f"pending: b2 ({state} {KEPT})" in on_database("migrate", "check").err
    refused = on_database("migrate", "upgrade")
    assert refused.code == 1
    assert f": {state} {KEPT}; mend what was wrong, and run the rest with --resume" in refused.err
    on_database.ok("migrate", "stamp", "b2")
    assert on_database.ok("migrate", "current", "--json").json == [
        {"revision": "b2", "description": "make labels unique", "state": "head"}
    ]
    assert "alembic_version_halfway" not in tables(database)


def test_the_rest_of_it_is_run_when_what_was_wrong_is_mended(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service(history="broken")
    on_database("migrate", "upgrade")
    database.execute("CREATE TABLE missing_table (id INTEGER)")
    resume = ["--resume"] if commits_by_itself(database) else []
    rows = on_database.ok("migrate", "upgrade", *resume, "--json").json
    assert [row["revision"] for row in rows] == (["b2"] if resume else ["b1", "b2"])
    assert database.execute("SELECT id FROM missing_table") == [(1,)]
    assert tables(database) == {"alembic_version", "box", "label", "colour", "missing_table"}
    assert on_database.ok("migrate", "upgrade", "--json").json == []


@pytest.mark.parametrize("env", ["generic", "async"])
def test_rows_that_a_later_ddl_has_committed_are_not_written_twice(
    on_database: Dbctl, database: TestDatabase, service: MakeService, env: str
) -> None:
    if not commits_by_itself(database):
        pytest.skip("nothing of it stays here")
    made = service(env, history="broken")
    upgrade = [
        'op.create_table("t", sa.Column("n", sa.Integer))',
        'op.execute("INSERT INTO t VALUES (0)")',
        'op.execute("INSERT INTO t VALUES (1)")',
        'op.add_column("t", sa.Column("m", sa.Integer))',
        'op.execute("INSERT INTO t VALUES (2, 2)")',
        'op.execute("INSERT INTO missing_table (id) VALUES (1)")',
        'op.execute("INSERT INTO t VALUES (3, 3)")',
    ]
    (made.root / "migrations" / "versions" / "b2_halfway.py").unlink()
    made.add("b2", "b1", "\n".join(upgrade))
    told = on_database("migrate", "upgrade").err
    assert "; 4 statements of it stay, " in told, told
    database.execute("CREATE TABLE missing_table (id INTEGER)")
    on_database.ok("migrate", "upgrade", "--resume")
    assert sorted(database.execute("SELECT n FROM t")) == [(0,), (1,), (2,), (3,)]


def test_it_is_not_gone_on_with_where_its_script_is_another_by_now(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    if not commits_by_itself(database):
        pytest.skip("nothing of it stays here")
    made = service(history="broken")
    on_database("migrate", "upgrade")
    database.execute("CREATE TABLE missing_table (id INTEGER)")
    made.edit("migrations/versions/b2_halfway.py", '"label", sa.Column("id"', '"label", sa.Column("number"')
    written = database.execute("SELECT * FROM alembic_version_halfway")
    for _ in range(2):  # the refusal itself changes nothing of what is known of the earlier run
        result = on_database("migrate", "upgrade", "--resume")
        assert result.code == 1
        assert (
            "its first 2 statements are not those that an earlier run has done; 2 statements of it stay" in result.err
        )
        assert "; put the revision's script back as it was, or mend the database by hand and stamp it" in result.err
        assert database.execute("SELECT * FROM alembic_version_halfway") == written
    assert "colour" not in tables(database)


def test_it_fails_again_further_on_and_is_gone_on_with_from_there(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    if not commits_by_itself(database):
        pytest.skip("nothing of it stays here")
    made = service(history="broken")
    on_database("migrate", "upgrade")
    database.execute("CREATE TABLE missing_table (id INTEGER)")
    database.execute("CREATE TABLE colour (id INTEGER)")
    result = on_database("migrate", "upgrade", "--resume")
    assert "statement 4 of 4 (CREATE TABLE colour " in result.err
    assert "statements of it stay" in result.err
    database.execute("DROP TABLE colour")
    on_database.ok("migrate", "upgrade", "--resume")
    # What was rolled back with the failure is done once more, and what was not is not.
    assert database.execute("SELECT count(*) FROM missing_table") == [(1,)]
    assert made.root.exists()


def test_what_failed_is_kept_and_not_what_was_rolled_back_with_it(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    if not commits_by_itself(database):
        pytest.skip("nothing of it stays here")
    made = service()
    first = "op.create_table('first', sa.Column('id', sa.Integer))\nop.execute('INSERT INTO first (id) VALUES (1)')"
    made.add("a4", "a3", f"{first}\nop.execute('INSERT INTO nowhere (id) VALUES (1)')")
    on_database("migrate", "upgrade")
    state = on_database.ok("migrate", "current", "--json").json[1]["state"]
    assert ": 1 statement of it stays, then INSERT INTO nowhere (id) VALUES (1) failed (kept in " in state


@pytest.mark.parametrize("code", ["raise SystemExit(0)", "import sys; sys.exit('no')"])
def test_one_that_would_end_the_process_is_told_with_what_stays(
    code: str, on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    made = service()
    made.add("a4", "a3", f"op.create_table('first', sa.Column('id', sa.Integer))\n{code}")
    result = on_database("migrate", "upgrade")
    assert result.code == 1
    told = result.err.splitlines()[-1]
    assert told.startswith("dbctl: error: revision a4 (a4), migrations/versions/a4.py, line 14: SystemExit: ")
    assert ("; 1 statement of it stays, " if commits_by_itself(database) else "; nothing of it stays, ") in told


def test_one_whose_first_statement_fails_leaves_nothing(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    made = service(history="broken")
    made.edit(
        "migrations/versions/b2_halfway.py",
        "def upgrade() -> None:",
        "def upgrade() -> None:\n    op.drop_table('nowhere')",
    )
    told = on_database("migrate", "upgrade").err.splitlines()[-1]
    assert "statement 1 of 5 (DROP TABLE nowhere), " in told
    assert "; nothing of it stays, " in told
    assert "alembic_version_halfway" not in tables(database)


def test_what_a_revisions_own_code_raises_is_told_by_its_line(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    made = service()
    made.add("a4", "a3", "raise ValueError('no such colour')", doc="paint it")
    result = on_database("migrate", "upgrade")
    assert result.code == 1
    told = result.err.splitlines()[-1]
    assert told.startswith(
        "dbctl: error: revision a4 (paint it), migrations/versions/a4.py, line 13: ValueError: no such colour"
    )


def test_one_that_is_killed_is_known_to_be_halfway(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    if not commits_by_itself(database):
        pytest.skip("the server rolls it back")
    made = service()
    made.add("a4", "a3", "op.create_table('first', sa.Column('id', sa.Integer))\nop.execute('DO SLEEP(60)')")
    with on_database.popen("migrate", "upgrade") as process:
        end = time.monotonic() + 40
        while "first" not in tables(database) or not database.execute(
            "SELECT 1 FROM alembic_version_halfway WHERE done = 1"
        ):
            assert time.monotonic() < end
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
    rows = on_database.ok("migrate", "current", "--json").json
    assert rows[1]["revision"] == "a4"
    assert rows[1]["state"] == f"half-way in the upgrade of a4: 1 statement of it stays, then it was cut off {KEPT}"


def test_one_that_is_killed_before_its_first_statement_is_just_run_again(
    on_database: Dbctl, service: MakeService
) -> None:
    made = service()
    seen = on_database.cwd / "computing"
    computes = f"import pathlib, time\nseen = pathlib.Path({str(seen)!r})\nif not seen.exists():\n    seen.touch()\n"
    made.add("a4", "a3", f"{computes}    time.sleep(60)\nop.create_table('first', sa.Column('id', sa.Integer))")
    with on_database.popen("migrate", "upgrade") as process:
        end = time.monotonic() + 40
        while not seen.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert on_database.ok("migrate", "upgrade", "--json").json[-1]["revision"] == "a4"


def test_an_autocommit_block_is_run_under_the_lock(
    dbctl: Dbctl, postgres_database: TestDatabase, service: MakeService
) -> None:
    made = service()
    (dbctl.cwd / "profiles.toml").write_text(postgres_database.toml, encoding="utf-8")
    body = (
        "with op.get_context().autocommit_block():\n    op.execute('CREATE INDEX CONCURRENTLY by_name ON item (name)')"
    )
    made.add("a4", "a3", body, doc="index names")
    run = dbctl.with_env(**postgres_database.env)
    assert len(run.ok("migrate", "upgrade", "--json").json) == 4
    made.add("a5", "a4", f"op.execute('CREATE TABLE t (id int)')\n{body}", doc="index names again")
    result = run("migrate", "upgrade")
    assert result.code == 1
    assert "statement 2 of 2 (CREATE INDEX CONCURRENTLY by_name ON item (name))" in result.err
    assert "; 1 statement of it stays; " in result.err
    rows = run.ok("migrate", "current", "--json").json
    assert [row["revision"] for row in rows] == ["a4", "a5"]
    postgres_database.execute("DROP INDEX by_name")
    run.ok("migrate", "upgrade", "--resume")
    assert tables(postgres_database) == {"alembic_version", "item", "runs", "t"}


def test_one_that_goes_by_rows_which_its_earlier_run_has_changed_is_told_as_that(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    if not commits_by_itself(database):
        pytest.skip("nothing of it stays here")
    made = service()
    database.execute("CREATE TABLE work (done INTEGER)")
    database.execute("INSERT INTO work VALUES (0), (0)")
    body = [
        "for _ in op.get_bind().execute(sa.text('SELECT * FROM work WHERE done = 0')).all():",
        "    op.execute('UPDATE work SET done = 1 WHERE done = 0 LIMIT 1')",
        "op.create_table('t', sa.Column('n', sa.Integer))",
        "op.execute('INSERT INTO nowhere VALUES (1)')",
    ]
    made.add("a4", "a3", "\n".join(body))
    on_database("migrate", "upgrade")
    told = on_database("migrate", "upgrade", "--resume").err.splitlines()[-1]
    assert told.startswith("dbctl: error: revision a4 (a4): its first 3 statements are not those that an earlier run")
    assert ": it has only 2 now, as where it goes by rows that the earlier run has changed; 3 statements" in told


def test_one_that_is_ended_behind_its_last_statement_is_not_told_as_done(
    on_database: Dbctl, service: MakeService
) -> None:
    made = service()
    made.add("a4", "a3", "import os, signal, time\nos.kill(os.getpid(), signal.SIGTERM)\ntime.sleep(1)")
    ended = on_database("migrate", "upgrade")
    assert (ended.code, "upgrade a4" in ended.talk) == (143, False), str(ended)
    made.edit("migrations/versions/a4.py", "os.kill(", "(")
    assert on_database.ok("migrate", "upgrade", "--json").json[-1]["revision"] == "a4"


def test_the_rest_of_a_downgrade_is_run_as_every_other_command_advises(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    if not commits_by_itself(database):
        pytest.skip("nothing of it stays here")
    made = service()
    create = "op.create_table('first', sa.Column('id', sa.Integer))"
    made.add("a4", "a3", create, "op.drop_table('first')\nop.execute('INSERT INTO nowhere (id) VALUES (1)')")
    on_database.ok("migrate", "upgrade")
    assert on_database("migrate", "downgrade", "a3").code == 1
    advice = "run the rest of the downgrade with: dbctl migrate downgrade -1 --resume; or mend the database by hand"
    for line in (["migrate", "upgrade"], ["migrate", "upgrade", "--resume"], ["setup"]):
        refused = on_database(*line)
        assert (refused.code, advice in refused.err) == (1, True), str(refused)
    database.execute("CREATE TABLE nowhere (id INTEGER)")
    on_database.ok("migrate", "downgrade", "-1", "--resume")
    assert on_database.ok("migrate", "current", "--json").json[0]["revision"] == "a3"
    on_database.ok("migrate", "upgrade")


def test_setup_has_the_rest_run_by_migrate(on_database: Dbctl, database: TestDatabase, service: MakeService) -> None:
    if not commits_by_itself(database):
        pytest.skip("nothing of it stays here")
    service(history="broken")
    advice = "run the rest of the upgrade with: dbctl migrate upgrade --resume; or mend the database by hand"
    for _ in range(2):
        failed = on_database("setup")
        assert (failed.code, advice in failed.err) == (1, True), str(failed)
    database.execute("CREATE TABLE missing_table (id INTEGER)")
    on_database.ok("migrate", "upgrade", "--resume")
    on_database.ok("setup")
