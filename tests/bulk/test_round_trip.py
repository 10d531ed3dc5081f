"""What is exported and imported again, or copied there and back, is equal, whatever its values are."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from dbctl.bulk.exporting import Wish, export
from dbctl.bulk.forms import Form
from dbctl.bulk.importing import import_files
from dbctl.bulk.terms import How
from dbctl.connections.connector import Connector, opened
from dbctl.work.sessions import unit_of_work
from tests.bulk.values import COLUMNS, Column, drawn_rows
from tests.harness.database import KINDS, TestDatabase
from tests.harness.profile import profile_of
from tests.harness.shared import make_shared
from tests.harness.soak import SOAK, dose
from tests.servers.client import Connection, rows

FORMS = [Form(name, packed) for name in ("csv", "tsv", "jsonl", "json") for packed in ("none", "gzip")]
FORMS += [Form("parquet"), Form("csv", null="NULL")]
SETTINGS = {"mysql": "SET sql_mode = '', time_zone = '+00:00'", "postgresql": "SET TimeZone = 'UTC'"}

usually = settings(
    max_examples=dose(20, 1500),
    deadline=None,
    database=None,
    derandomize=not SOAK,
    print_blob=True,
    phases=set(Phase) if SOAK else {Phase.explicit, Phase.generate},
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Ground:
    """A database with the table `thing`, which has a column of each type.

    Attributes:
        connection: a connection of the bare driver to it.
        connector: dbctl's.
        directory: where files are made.
    """

    database: TestDatabase
    connection: Connection
    connector: Connector[Engine]
    directory: Path

    @property
    def columns(self) -> Sequence[Column]:
        return COLUMNS[self.database.kind]

    def fill(self, drawn: Sequence[Sequence[Any]]) -> None:
        """Have these rows, and no others."""
        mark = "%s" if self.database.server else "?"
        values = ", ".join([mark] * (len(self.columns) + 1))
        self.empty()
        for number, row in enumerate(drawn):
            self.connection.cursor().execute(f"INSERT INTO thing VALUES ({values})", (number, *row))

    def empty(self) -> None:
        rows(self.connection, "DELETE FROM thing")

    def shown(self) -> list[tuple[Any, ...]]:
        """Return what is there, by the database's own words."""
        names = ", ".join(one.shown.format(f"c{number}") for number, one in enumerate(self.columns))
        if self.database.kind == "postgresql":
            names = "CAST(thing AS text)"
        return rows(self.connection, f"SELECT {names} FROM thing ORDER BY id")

    def exported(self, form: Form) -> Path:
        """Export the table, and return the file."""
        path = self.directory / f"thing{form.ending}"
        export(self.connector, path, Wish(table="thing", form=form, replace=True))
        return path

    def imported(self, path: Path, form: Form) -> None:
        self.empty()
        with unit_of_work(self.connector) as unit:
            import_files(unit, [str(path)], "thing", How(null=form.null))


@pytest.fixture(scope="module", params=KINDS)
def ground(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    for database in make_shared(request.param, request):
        columns = ", ".join(f"c{number} {one.type}" for number, one in enumerate(COLUMNS[database.kind]))
        database.execute(f"CREATE TABLE thing (id integer PRIMARY KEY, {columns})")
        with contextlib.closing(database.connect()) as connection, opened(profile_of(database)) as connector:
            if text := SETTINGS.get(database.dialect):
                rows(connection, text)
            yield Ground(database, connection, connector, tmp_path_factory.mktemp("files"))


@pytest.mark.timeout(dose(120, 7200))
def test_what_was_exported_and_is_imported_is_equal(ground: Ground) -> None:
    @usually
    @given(st.sampled_from(FORMS).flatmap(lambda form: st.tuples(st.just(form), drawn_rows(ground.columns, form))))
    def holds(drawn: tuple[Form, Sequence[Sequence[Any]]]) -> None:
        form, rows = drawn
        ground.fill(rows)
        before = ground.shown()
        path = ground.exported(form)
        note(str(path.read_bytes()[:3000]))
        ground.imported(path, form)
        assert ground.shown() == before, form

    holds()
