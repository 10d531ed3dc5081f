"""The exit code tells a script what became of the command."""

import contextlib
import importlib
import pkgutil
import re
import signal
import time
from collections.abc import Iterator

import pytest

import dbctl as package
from dbctl import errors
from dbctl.cli.exits import ExitCode, exit_code
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase

NOBODY = "127.0.0.1:1"  # where nothing listens


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("--version", 0),
        ("--help", 0),
        ("profiles list", 0),
        ("heroes list", 0),
        ("heroes show Deadpond", 0),
        ("init-tables --check", 0),
        ("init-tables", 0),
        ("heroes show Nobody", 1),
        ("heroes list --team Nowhere", 1),
        ("teams add Preventers", 1),
        ("transfer Deadpond --from Preventers --to Z-Force", 1),
        ("transfer Spider-Boy --from Z-Force --to Z-Force", 1),
        ("nonsense", 2),
        ("heroes nonsense", 2),
        ("heroes list --nonsense", 2),
        ("heroes list extra", 2),
        ("heroes add NoSecret", 2),
        ("heroes add A --secret-name B --age old", 2),
        ("heroes add A --secret-name B --age -1", 2),
        ("heroes list --limit -1", 2),
        ("heroes list --output xml", 2),
        ("heroes update Deadpond", 2),
        ("ping --count 0", 2),
        ("--profile", 2),
        ("--url sqlite:// --profile testing ping", 2),
        ("--profile nowhere ping", 3),
        ("--config nowhere.toml ping", 3),
        ("--url nonsense ping", 3),
        ("--url oracle://host/db ping", 3),
        ("--url postgresql:// ping", 3),
        ("--profile production ping", 3),
        ("init-tables --models nowhere", 3),
        ("--url sqlite:///nowhere.db ping", 4),
        ("--url sqlite:///nowhere.db heroes list", 4),
        (f"--url postgresql://user:pw@{NOBODY}/db ping", 4),
        (f"--url mysql://user:pw@{NOBODY}/db ping", 4),
        (f"--url postgresql://user:pw@{NOBODY}/db heroes list", 4),
        (f"--url mysql://user:pw@{NOBODY}/db pool-stats", 4),
        ("--url sqlite:///nowhere.db init-tables --check", 6),
    ],
)
def test_a_command_ends_with_its_code(command: str, code: int, on_sample: Dbctl) -> None:
    result = on_sample(*command.split())
    assert result.code == code, str(result)


@pytest.mark.parametrize("command", ["ping", "heroes list", "init-tables", "pool-stats"])
def test_a_database_that_is_not_there_is_no_connection(
    command: str, dbctl: Dbctl, server_database: TestDatabase
) -> None:
    toml = server_database.toml.replace(server_database.name, "nowhere")
    (dbctl.cwd / "profiles.toml").write_text(f'default = "{server_database.profile}"\n{toml}')
    result = dbctl(*command.split(), env=server_database.env)
    assert result.code == 4, str(result)
    assert "database failed" in result.err


def test_a_missing_table_is_refused_with_the_way_to_make_it(on_database: Dbctl, database: TestDatabase) -> None:
    database.connect().close()  # so that SQLite has a file
    database.execute("CREATE TABLE other (x INTEGER)")
    result = on_database("heroes", "list")
    assert result.code == 1, str(result)
    assert "dbctl init-tables" in result.err


def test_a_statement_that_takes_too_long_is_out_of_time(dbctl: Dbctl, server_database: TestDatabase) -> None:
    heading = f"[profiles.{server_database.profile}]\n"
    toml = server_database.toml.replace(heading, f"{heading}statement_timeout = 0.3\n")
    (dbctl.cwd / "profiles.toml").write_text(f'default = "{server_database.profile}"\n{toml}')
    timed = dbctl.with_env(**server_database.env)
    timed.ok("init-tables")
    timed.ok("heroes", "add", "A", "--secret-name", "B")
    with contextlib.closing(server_database.connect(autocommit=False)) as holder:
        holder.cursor().execute("UPDATE hero SET age = 1")
        result = timed("heroes", "update", "A", "--age", "2")
    assert result.code == 5, str(result)


def test_a_bug_has_a_code_of_its_own(on_sample: Dbctl) -> None:
    # A service's own module is the one thing that can break dbctl from inside.
    (on_sample.cwd / "breaking.py").write_text("import dbctl.tables.changes\ndel dbctl.tables.changes.create_missing\n")
    result = on_sample("init-tables", "--models", "breaking")
    assert result.code == 3, str(result)  # no table is defined there
    (on_sample.cwd / "breaking.py").write_text(
        "from dbctl.tables import changes\nfrom dbctl.sample import SampleModel\nchanges.create_missing = None\n"
    )
    result = on_sample("init-tables", "--models", "breaking")
    assert result.code == 70, str(result)
    assert "a bug in dbctl: TypeError: " in result.err
    assert "--debug" in result.err


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "termination"]
)
def test_a_signal_ends_a_command_in_good_order(number: signal.Signals, code: int, on_sample: Dbctl) -> None:
    (on_sample.cwd / "slow.py").write_text("import pathlib, time\npathlib.Path('begun').touch()\ntime.sleep(60)\n")
    process = on_sample.popen("init-tables", "--models", "slow")
    deadline = time.monotonic() + 30
    while not (on_sample.cwd / "begun").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "")
    assert err.splitlines()[1:] == ["dbctl: interrupted: what was not committed is rolled back"]


@pytest.mark.parametrize("words", ["", "heroes", "heroes add", "profiles"])
def test_help_names_the_page_that_lists_the_codes(words: str, dbctl: Dbctl) -> None:
    assert "\nExit codes: dbctl help exit-codes\n" in dbctl.ok(*words.split(), "--help").out


def test_the_codes_are_those_that_scripts_were_promised() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "DONE": 0,
        "REFUSED_BY_DATABASE": 1,
        "USAGE": 2,
        "CONFIGURATION": 3,
        "NO_CONNECTION": 4,
        "OUT_OF_TIME": 5,
        "CHECK_FAILED": 6,
        "LOCK_HELD": 7,
        "UNCONFIRMED": 8,
        "OUTCOME_UNKNOWN": 9,
        "OUTPUT_LOST": 10,
        "BUG": 70,
        "INTERRUPTED": 130,
        "TERMINATED": 143,
    }


def every_error() -> Iterator[type[errors.DbctlError]]:
    """All error classes of the package, wherever they are defined."""
    for module in pkgutil.walk_packages(package.__path__, "dbctl."):
        if module.name != "dbctl.__main__":
            with contextlib.suppress(ModuleNotFoundError):  # what an extra would install
                importlib.import_module(module.name)
    pending = errors.DbctlError.__subclasses__()
    while pending:
        error = pending.pop()
        pending += error.__subclasses__()
        if error.__module__.startswith("dbctl"):
            yield error


ERRORS = sorted(every_error(), key=str)


@pytest.mark.parametrize("error", ERRORS, ids=[error.__name__ for error in ERRORS])
def test_every_error_has_a_code(error: type[errors.DbctlError]) -> None:
    assert exit_code(error("message")) not in {ExitCode.BUG, ExitCode.DONE}


# The command line's own never reach who uses the library.
LIBRARY_ERRORS = [error for error in ERRORS if not error.__module__.startswith("dbctl.cli")]


@pytest.mark.parametrize("error", LIBRARY_ERRORS, ids=[error.__name__ for error in LIBRARY_ERRORS])
def test_every_error_is_drawn_in_the_tree(error: type[errors.DbctlError]) -> None:
    assert re.search(rf"─ {error.__name__} ", errors.__doc__ or "")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("m"), 2),
        (errors.ConfigError("m"), 3),
        (errors.ConnectError("m"), 4),
        (errors.OutOfTime("m"), 5),
        (errors.WorkRefused("m"), 1),
        (errors.NotFound("m"), 1),
        (errors.Ambiguous("m"), 1),
        (errors.Conflict("m"), 1),
        (errors.MissingTable("m"), 1),
        (errors.CheckFailed("m"), 6),
        (errors.LockHeld("m"), 7),
        (errors.ConfirmationNeeded("m"), 8),
        (errors.OutcomeUnknown("m"), 9),
        (ValueError("m"), 70),
        (errors.DbctlError("m"), 70),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_has_the_code_of_its_kind(error: Exception, code: int) -> None:
    assert exit_code(error) == code
