"""What is copied into another kind of database, and back, is equal, and so is what goes there by files."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from dbctl.bulk.copying import copy
from dbctl.bulk.crossing import Crossing, Wish
from dbctl.bulk.exporting import Wish as ToExport
from dbctl.bulk.exporting import export
from dbctl.bulk.forms import Form
from dbctl.bulk.importing import import_files
from dbctl.bulk.terms import How
from dbctl.connections.connector import Connector, opened
from dbctl.profiles import Profile
from dbctl.work.sessions import unit_of_work
from dbctl.work.supervision import Supervisor
from tests.bulk.test_round_trip import FORMS, usually
from tests.bulk.values import common_columns, drawn_rows
from tests.harness.database import KINDS, Kind, TestDatabase
from tests.harness.profile import profile_of
from tests.harness.shared import make_shared
from tests.harness.soak import SOAK, dose
from tests.servers.client import Connection, rows

PAIRS: list[tuple[Kind, Kind]] = [
    ("postgresql", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "mariadb"), ("mariadb", "postgresql"),
    ("sqlite", "mysql"), ("mysql", "sqlite"), ("mariadb", "mysql"),
]  # fmt: skip
if SOAK:
    PAIRS = [(one, two) for one in KINDS for two in KINDS if one != two]


@dataclass(frozen=True)
class Side:
    """A database with a table `thing`."""

    database: TestDatabase
    connection: Connection
    connector: Connector[Engine]

    @property
    def profile(self) -> Profile:
        return self.connector.profile

    def fill(self, drawn: Sequence[Sequence[Any]]) -> None:
        mark = "%s" if self.database.server else "?"
        rows(self.connection, "DELETE FROM thing")
        for number, row in enumerate(drawn):
            values = ", ".join([mark] * (len(row) + 1))
            self.connection.cursor().execute(f"INSERT INTO thing VALUES ({values})", (number, *row))

    def shown(self) -> list[list[Any]]:
        """Return what is there; of a moment and a document what it means."""
        text = {"postgresql": "text", "sqlite": "text"}.get(self.database.kind, "char")
        *names, document = (f"c{number}" for number in range(len(common_columns(self.database.kind))))
        query = f"SELECT {', '.join(names)}, CAST({document} AS {text}) FROM thing ORDER BY id"
        found = [list(row) for row in rows(self.connection, query)]
        for row in found:
            row[-1] = row[-1] and [json.loads(row[-1])]
            row[-2] = str(row[-2]).partition(".")[0], str(row[-2]).partition(".")[2].rstrip("0")
        return found

    def copied_from(self, source: "Side", *, create: bool = False) -> None:
        crossing = Crossing(self.connector, lambda _: source.profile, Supervisor())
        copy(crossing, "source", Wish(tables=["thing"], verify=True, create=create))

    def imported_from(self, source: "Side", path: Path, form: Form) -> None:
        export(source.connector, path, ToExport(table="thing", form=form, replace=True))
        with unit_of_work(self.connector) as unit:
            import_files(unit, [str(path)], "thing", How(null=form.null))


@contextlib.contextmanager
def side_of(database: TestDatabase) -> Iterator[Side]:
    with contextlib.closing(database.connect()) as connection, opened(profile_of(database)) as connector:
        yield Side(database, connection, connector)


@pytest.fixture(scope="module", params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Side, Side]]:
    one, two = request.param
    for first in make_shared(one, request):
        columns = ", ".join(f"c{number} {column.type}" for number, column in enumerate(common_columns(one)))
        first.execute(f"CREATE TABLE thing (id integer PRIMARY KEY, {columns})")
        for second in make_shared(two, request):
            if not second.server:
                second.execute("CREATE TABLE other (id integer)")
            with side_of(first) as here, side_of(second) as there:
                there.copied_from(here, create=True)
                yield here, there


@pytest.mark.timeout(dose(120, 7200))
def test_what_went_to_another_database_and_back_is_equal(pair: tuple[Side, Side], tmp_path_factory: Any) -> None:
    here, there = pair
    kind: Kind = here.database.kind
    path = tmp_path_factory.mktemp("files")

    @settings(usually, max_examples=dose(8, 300))
    @given(drawn_rows(common_columns(kind), Form()), st.sampled_from([None, *FORMS]))
    def holds(drawn: Sequence[Sequence[Any]], form: Form | None) -> None:
        here.fill(drawn)
        before = here.shown()
        for source, target in ((here, there), (there, here)):
            target.fill([])
            if form is None:
                target.copied_from(source)
            else:
                target.imported_from(source, path / f"thing{form.ending}", form)
        assert here.shown() == before, form

    holds()
