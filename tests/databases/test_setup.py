"""`dbctl setup` and `dbctl reset`."""

import os
import signal
import time
from collections.abc import Callable

import pytest

from tests.databases.conftest import Place
from tests.faults.watching import within
from tests.harness.cli import Dbctl
from tests.migrations.service import Service
from tests.servers.system import free_port

MANY = 4

Writing = Callable[[Place], None]


def items(place: Place, table: str = "item") -> int:
    found: int = place.dbctl.ok("query", f"SELECT count(*) AS n FROM {table}", "--json").json[0]["n"]
    return found


def edit(place: Place, old: str, new: str, path: str = "app/seed.py") -> None:
    file = place.dbctl.cwd / path
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_it_does_all_of_it_and_may_be_run_again(place: Place, service: Writing) -> None:
    service(place)
    seed = "app.seed:main called"
    assert place.steps("setup") == {"database": "created", "tables": "1 created", "seed": seed}
    assert place.steps("setup") == {"database": "exists", "tables": "1 exists", "seed": seed}
    assert items(place) == 2


def test_the_seed_runs_each_time_unless_it_is_not_wanted(place: Place, service: Writing) -> None:
    service(place)
    place.dbctl.ok("setup")
    edit(place, '("pen", "cup")', '("pen", "cup", "ink")')
    assert "seed" not in place.steps("setup", "--no-seed")
    assert items(place) == 2
    place.dbctl.ok("setup")
    assert items(place) == 3


def test_many_at_once_do_no_harm(place: Place, service: Writing) -> None:
    """Programs of their own, as replicas of a service start."""
    service(place)
    program = Dbctl(cwd=place.dbctl.cwd, home=place.dbctl.home, env=place.dbctl.env)
    runs = [program.popen("setup", "--json") for _ in range(MANY)]
    ends = [run.communicate(timeout=110) for run in runs]
    assert [run.returncode for run in runs] == [0] * MANY, ends
    assert sum('"created"' in out for out, _ in ends) == 1, ends
    assert items(place) == 2


def test_with_alembic_the_migrations_are_run(place: Place) -> None:
    Service.make(place.dbctl.cwd, "generic", "shop")
    steps = place.steps("setup")
    assert (steps["database"], steps["migrations"].endswith(" applied")) == ("created", True), steps
    assert place.steps("setup") == {"database": "exists", "migrations": "nothing to do"}


def test_a_reset_begins_anew(place: Place, service: Writing) -> None:
    service(place)
    place.dbctl.ok("setup")
    edit(place, '("pen", "cup")', '("ink",)')
    assert place.dbctl("reset").code == 8
    steps = place.dbctl.ok("reset", "--confirm", place.name, "--json").json
    assert [row["state"] for row in steps] == ["dropped", "created", "1 created", "app.seed:main called"]
    assert items(place) == 1


def test_a_dry_run_tells_all_of_it_and_does_none(place: Place, service: Writing) -> None:
    service(place)
    seed = "app.seed:main called"
    new = {"database": "created", "tables": "1 created", "seed": seed}
    assert place.steps("setup", "--dry-run") == new
    assert place.dbctl("ping").code == 4
    place.dbctl.ok("setup", "--no-seed")
    assert place.steps("setup", "--dry-run") == {"database": "exists", "tables": "1 exists", "seed": seed}
    assert place.steps("reset", "--dry-run") == new
    assert items(place) == 0


def test_a_dry_run_tells_how_many_revisions_there_are_to_apply(place: Place) -> None:
    Service.make(place.dbctl.cwd, "generic", "shop")
    told = place.steps("setup", "--dry-run")
    assert (told["database"], told["migrations"].endswith(" applied")) == ("created", True), told
    place.dbctl.ok("create-database")
    there = told | {"database": "exists"}
    assert place.steps("setup", "--dry-run") == there
    assert place.steps("setup") == there
    assert place.steps("setup", "--dry-run") == {"database": "exists", "migrations": "nothing to do"}


def test_a_protected_profile_is_never_reset(place: Place, service: Writing) -> None:
    service(place)
    place.dbctl.ok("setup")
    place.toml.write_text(place.toml.read_text() + "protected = true\n")
    for word in ("admin", place.name, f"admin/{place.name}"):
        assert place.dbctl("reset", "--confirm", word).code == 8
    assert items(place) == 2


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [("def main", "def other", 2), ("import time", "import nothing_of_the_kind", 3), ("(session: Session)", "(n)", 3)],
)
def test_what_the_seed_lacks_is_found_before_anything_is_dropped(
    place: Place, service: Writing, old: str, new: str, code: int
) -> None:
    service(place)
    place.dbctl.ok("setup")
    edit(place, old, new)
    result = place.dbctl("reset", "--confirm", place.name)
    assert (result.code, result.out) == (code, ""), str(result)
    assert "app.seed" in result.err
    assert items(place) == 2


def test_a_seed_that_fails_says_where_and_what_stays(place: Place, service: Writing) -> None:
    service(place)
    edit(place, "time.sleep(0.1)", 'raise ValueError("no ink")')
    result = place.dbctl("setup")
    assert (result.code, result.out) == (1, ""), str(result)
    assert "seed app.seed:main: ValueError: no ink (app/seed.py, line " in result.err
    assert "done before that: database: created, tables: 1 created\n" in result.err
    assert items(place) == 0


def test_ctrl_c_in_the_seed_ends_it_and_says_what_stays(place: Place, service: Writing) -> None:
    service(place)
    edit(place, "time.sleep(0.1)", "open('begun', 'w').close(); time.sleep(0.1)")
    edit(place, "session.add(", "[time.sleep(0.1) for _ in range(300)]; session.add(")
    edit(place, "[time.sleep(0.1)", "[(time.sleep(0.1), session.exec(select(Item)).all())")
    run = place.dbctl.start("setup")
    assert within(40, (place.dbctl.cwd / "begun").exists)
    run.send_signal(signal.SIGINT)
    result = run()
    assert (result.code, result.out) == (130, ""), str(result)
    assert "rolled back; done before that: database: created, tables: 1 created\n" in result.err
    assert items(place) == 0


def test_ctrl_c_while_another_run_is_at_it(server_place: Place, service: Writing) -> None:
    service(server_place)
    server_place.dbctl.ok("create-database")
    held = ("sh", "-c", "echo held; exec sleep 60")
    with server_place.dbctl.popen("exec", "--lock", "setup", "--", *held) as holder:
        try:
            assert holder.stdout
            assert holder.stdout.readline()
            run = server_place.dbctl.start("setup")
            assert within(40, lambda: b'the lock "setup"' in os.pread(run.streams[1].fileno(), 9999, 0))
            run.send_signal(signal.SIGINT)
            began = time.monotonic()
            result = run()
            assert (result.code, result.out) == (130, ""), str(result)
            assert time.monotonic() - began < 5
        finally:
            holder.terminate()
    assert "table item exists" not in result.err
    assert items(server_place, "(SELECT 1) t") == 1


def test_a_server_that_is_not_there_is_waited_for_so_long(dbctl: Dbctl) -> None:
    result = dbctl("--url", f"postgresql://app@127.0.0.1:{free_port()}/app", "setup", "--wait", "1")
    assert (result.code, result.out) == (5, ""), str(result)
    assert "waited 1 s in vain" in result.err


def test_a_role_that_may_not_create_sets_up_what_is_there(server_place: Place, service: Writing) -> None:
    service(server_place)
    server_place.profile("app", "app", "APP_PASSWORD")
    server_place.dbctl.ok("create-database", *(["--owner", "app"] if server_place.kind == "postgresql" else []))
    if server_place.kind != "postgresql":
        server_place.at.execute(f"GRANT SELECT, INSERT, CREATE ON `{server_place.name}`.* TO app")
    steps = {row["step"]: row["state"] for row in server_place.dbctl.ok("-p", "app", "setup", "--json").json}
    assert steps["database"] == "exists"
    assert items(server_place) == 2
