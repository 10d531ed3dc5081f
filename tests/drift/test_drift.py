"""Drift is found where there is some, in whichever direction, and nowhere else; and the DDL that is shown mends it."""

import logging
from collections.abc import Iterable, Iterator

import pytest

from dbctl.drift.state import Difference
from tests.drift.changes import CHANGES, Change
from tests.drift.service import Service, by_name
from tests.harness.database import KINDS, TestDatabase
from tests.harness.soak import SOAK

PAIRS = [
    pytest.param(kind, change, id=f"{kind}-{change.name}")
    for kind in KINDS
    for number, change in enumerate(CHANGES)
    if kind in change.kinds and (SOAK or (number % 3 == 0 and kind == change.kinds[number // 3 % len(change.kinds)]))
]
"""Soaking, each change on each of its databases; else one of three, on one of its databases in turn."""


@pytest.fixture(scope="module")
def service(shared_database: TestDatabase, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The fleet's models, and one database for all tests."""
    made = Service(shared_database, tmp_path_factory.mktemp("service"))
    yield made
    made.connector.engine.dispose()


def parts(found: Iterable[Difference]) -> list[tuple[str, str]]:
    return sorted({(each.table, each.part) for each in found})


@pytest.fixture(autouse=True)
def every_table_can_be_compared(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No temporary table fails: what can't be compared is no proof that nothing differs."""
    caplog.set_level(logging.INFO, "dbctl")
    yield
    assert "not made as a temporary table" not in caplog.text


def test_there_is_none_where_the_tables_were_just_created(service: Service) -> None:
    service.as_declared = False
    service.make()
    assert service.differences(service.models()) == []


@pytest.mark.parametrize(("shared_database", "change"), PAIRS, indirect=["shared_database"])
def test_one_changed_thing_is_found_and_mended_in_either_direction(service: Service, change: Change) -> None:
    service.make()
    service.as_declared = False
    changed = service.models()
    change.make(by_name(changed, service.default_schema))
    expected = sorted(set(change.found))

    found = service.differences(changed)
    assert parts(found) == expected
    said = service.mend(changed, found)
    assert service.differences(changed) == [], said

    plain = service.models()
    found = service.differences(plain)
    assert parts(found) == expected
    said = service.mend(plain, found)
    assert service.differences(plain) == [], said
    service.as_declared = True
