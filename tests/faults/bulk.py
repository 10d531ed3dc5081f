"""Rows to move in bulk between two databases and files, and what all of them hold."""

import contextlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.bulk.profiles import with_profiles
from tests.faults.steps import after_step
from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.result import Result
from tests.harness.sample import create_tables, refill
from tests.servers.client import Connection, rows

ROWS = 2400
"""So many that each command has several pieces of work, of which some are done and some are not."""
RANGE = 900
"""Rows that `copy --resume` commits at a time."""
TEAMS = ("Preventers", "Z-Force")

_TABLES = {
    "postgresql": "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'",
    "mysql": "SELECT table_name FROM information_schema.tables WHERE table_schema = database()",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
}
_OTHERS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'",
    "mysql": "SELECT count(*) FROM information_schema.processlist WHERE db = database() AND id <> connection_id()",
}
# Without the numbers that are lost to a ROLLBACK.
_LOOK = {
    "hero": "SELECT name, secret_name, team_id FROM hero ORDER BY id",
    "transfer_log": "SELECT hero_id, from_team_id, to_team_id FROM transfer_log ORDER BY id",
}

Tables = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Load:
    """A command that moves rows.

    Attributes:
        line: what is typed.
        into: where to: "home", "away", or "" for files.
        resumed: whether what it has done by then stays where it is cut.
    """

    line: Sequence[str]
    into: str
    resumed: bool = False


LOADS: Mapping[str, Load] = {
    "import": Load(("import", "back.csv", "back"), "home"),
    "update": Load(("import", "back.csv", "back", "--on-conflict", "update"), "home"),
    "heroes": Load(("heroes", "import", "heroes.csv"), "home"),
    "transfer": Load(("transfer", "--file", "moves.csv"), "home"),
    "export": Load(("export", "there", "there.csv"), ""),
    "all": Load(("export", "--all", "all", "--format", "jsonl.gz", "--manifest"), ""),
    "copy out": Load(("copy", "there", "--from", "home", "--to", "away", "--verify"), "away"),
    "copy back": Load(("copy", "back", "--from", "away", "--to", "home"), "home"),
    "create": Load(("copy", "new", "--from", "away", "--to", "home", "--create"), "home"),
    "resume out": Load(("copy", "there", "--from", "home", "--to", "away", "--resume"), "away", True),
    "resume back": Load(("copy", "back", "--from", "away", "--to", "home", "--resume", "--verify"), "home", True),
}


@dataclass(frozen=True)
class Held:
    """What there is: the rows of all tables in both databases, and the files."""

    home: Tables
    away: Tables
    files: frozenset[str]


@dataclass
class Depot:
    """Two databases, and a directory: `there` is full at home and empty away, `back` is the reverse.

    Attributes:
        home: the database of the kind that is on trial, with the sample's tables too.
        away: one of SQLite.
        dbctl: dbctl with a profile of each, of which `home` is the default.
        before: what there is before any command.
        middles: the steps in the midst of each command that `whole` has run.
    """

    home: TestDatabase
    away: TestDatabase
    dbctl: Forked
    before: Held = field(init=False)
    middles: dict[str, range] = field(default_factory=dict)
    _whole: dict[str, Held] = field(default_factory=dict)

    def fill(self) -> None:
        """Make the tables and the files."""
        create_tables(self.home)
        full = {"there": self.home, "back": self.away, "new": self.away}
        empty = {"there": self.away, "back": self.home}
        for name, database in [*full.items(), *empty.items()]:
            database.execute(f"CREATE TABLE {name} (id integer PRIMARY KEY, v varchar(500))")
        for name, database in full.items():
            with contextlib.closing(database.connect(autocommit=False)) as connection:
                mark = "%s" if database.server else "?"
                rows_ = [(number, text(number)) for number in range(1, ROWS + 1)]
                connection.cursor().executemany(f"INSERT INTO {name} VALUES ({mark}, {mark})", rows_)
                connection.commit()
        write = {
            "back.csv": ["id,v", *(f"{number},{text(number)}" for number in range(1, ROWS + 1))],
            "heroes.csv": ["name,secret_name,team", *(f"h{number},{'s' * 190},Z-Force" for number in range(3 * ROWS))],
            "moves.csv": ["hero,from,to", *(f"{1 + number % 9},{TEAMS[number // 9 % 2]},{TEAMS[1 - number // 9 % 2]}"
                                           for number in range(9 * 33))],
        }  # fmt: skip
        for name, lines in write.items():
            (self.dbctl.cwd / name).write_text("\n".join(lines) + "\n")
        (self.dbctl.cwd / "all").mkdir()

    def reset(self) -> None:
        """Have all as it was before the first command."""
        heroes = ", ".join(f"('hero {number}', 'x', 1)" for number in range(9))
        teams = ", ".join(f"('{name}')" for name in TEAMS)
        refill(
            self.home,
            f"INSERT INTO team (name) VALUES {teams}",
            f"INSERT INTO hero (name, secret_name, team_id) VALUES {heroes}",
        )
        for database, name in ((self.home, "back"), (self.away, "there")):
            database.execute(f"DELETE FROM {name}")
            database.execute("DROP TABLE IF EXISTS dbctl_copy")
        self.home.execute("DROP TABLE IF EXISTS new")
        for path in self.files():
            path.unlink()

    def files(self) -> list[Path]:
        """Return the files that commands have made, hidden ones and those of directories too."""
        given = {"profiles.toml", "back.csv", "heroes.csv", "moves.csv"}
        return [path for path in self.dbctl.cwd.rglob("*") if path.name not in given and path.is_file()]

    def look(self) -> Held:
        """Return what there is, when all sessions but this one have ended."""
        tables = {"home": self.tables(self.home), "away": self.tables(self.away)}
        files = frozenset(str(path.relative_to(self.dbctl.cwd)) for path in self.files())
        return Held(**tables, files=files)

    def tables(self, database: TestDatabase) -> Tables:
        with contextlib.closing(database.connect()) as connection:
            _await_end_of_others(database, connection)
            names = [name for (name,) in rows(connection, _TABLES[database.dialect])]
            return {name: rows(connection, _LOOK.get(name, f"SELECT * FROM {name} ORDER BY 1")) for name in names}

    def whole(self, load: str) -> Held:
        """Return what there is when a command has been let alone, from `reset` on."""
        if load not in self._whole:
            self.reset()
            with after_step() as steps:
                self.dbctl.ok(*LOADS[load].line)
            self.middles[load] = steps.middle
            self._whole[load] = self.look()
            self.check_whole(load, self._whole[load])
        return self._whole[load]

    def check_whole(self, load: str, held: Held) -> None:
        """Hold against what is known of it that all of a command was done, and nothing else."""
        full = [(number, text(number)) for number in range(1, ROWS + 1)]
        assert held.home["there"] == held.away["back"] == held.away["new"] == full
        assert held.home["back"] == (full if LOADS[load].into == "home" and "back" in LOADS[load].line[1] else [])
        assert held.away["there"] == (full if LOADS[load].into == "away" else [])
        assert len(held.home["hero"]) == (3 * ROWS if load == "heroes" else 0) + 9
        assert len(held.home["transfer_log"]) == (9 * 33 if load == "transfer" else 0)
        assert held.home.get("new") == (full if load == "create" else None)
        places = {LOADS[load].into: {"dbctl_copy"}} if LOADS[load].resumed else {}
        assert set(held.home) - {"new"} == {"there", "back", "hero", "team", "transfer_log"} | places.get("home", set())
        assert set(held.away) == {"there", "back", "new"} | places.get("away", set())
        tables = ("there", "back", "hero", "team", "transfer_log")
        made = {"export": ["there.csv"], "all": ["all/manifest.json", *(f"all/{name}.jsonl.gz" for name in tables)]}
        assert held.files == set(made.get(load, []))

    def fault(self, load: str, result: Result, *, code: int) -> bool:
        """Hold what a run says against what there is, after something has befallen it; tell whether it was done.

        Parameters:
            code: its exit code, unless it was done.
        """
        whole, before, held = self._whole[load], self.before, self.look()
        told = result.talk.splitlines()
        errors = [line for line in told if line.startswith(("dbctl: error: ", "dbctl: interrupted"))]
        assert all(line.startswith("dbctl: ") for line in told), str(result)
        if result.code == 0:
            assert held == whole, str(result)
            assert errors == [], str(result)
            return True
        assert result.code in ({code, 9} if code == 4 else {code}), str(result)
        if code < 0:
            assert all("/.dbctl-backup-" in f"/{name}" for name in held.files - before.files), held.files
            held = replace(held, files=before.files)
        else:
            assert len(errors) == 1, str(result)
        told_left = result.code in {9, -9} or "left, and empty, is what --create has made: `new`" in result.err
        if self.home.dialect == "mysql" and told_left and not held.home.get("new"):
            held = replace(held, home={name: rows for name, rows in held.home.items() if name != "new"})
        if LOADS[load].resumed:
            self._check_part(load, held, whole)
        elif result.code in {9, -9} and held != before:
            assert held == whole, str(result)
        else:
            assert held == before, str(result)
        return False

    def _check_part(self, load: str, held: Held, whole: Held) -> None:
        """Hold that of a copy in ranges those are there that its places tell of, and nothing else."""
        into, name = LOADS[load].into, LOADS[load].line[1]
        before, there, all_ = getattr(self.before, into), dict(getattr(held, into)), getattr(whole, into)
        places = there.pop("dbctl_copy", [])
        copied = [row[3] for row in places] or [0]
        assert there[name] == all_[name][: copied[0]], places
        assert copied[0] == ROWS or copied[0] % RANGE == 0
        for place, last, number, *_ in (row[1:] for row in places):
            assert (place, json.loads(last)) == (name, [str(number)])
        assert {**there, name: []} == {**before, name: []}


def text(number: int) -> str:
    """Return the value of a row, which no compression makes much less."""
    return f"{number * 7919:08x}" * 50


def depot(home: TestDatabase, away: TestDatabase, dbctl: Dbctl) -> Depot:
    """Make one, with all that is in it."""
    on = with_profiles(Forked(dbctl.cwd, dbctl.home, of_tests=True), home=home, away=away)
    made = Depot(home, away, on)
    made.fill()
    made.reset()
    made.before = made.look()
    return made


def _await_end_of_others(database: TestDatabase, connection: Connection) -> None:
    end = time.monotonic() + 20
    while database.server and rows(connection, _OTHERS[database.dialect]) != [(0,)]:
        assert time.monotonic() < end, "a session is still there"
        time.sleep(0.01)
