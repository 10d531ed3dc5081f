"""What doctor finds on a test database."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dbctl.backends.findings import Finding
from dbctl.doctor import examine
from tests.backends.profile import profile_of
from tests.backends.shared import make_shared
from tests.conftest import KINDS
from tests.harness.database import TestDatabase


def findings(database: TestDatabase, changes: Mapping[str, Any] | None = None, **more: Any) -> Mapping[str, Finding]:
    """Examine the database's profile with changes, and return the findings by their checks."""
    found = examine(profile_of(database, changes), **more)
    by_check = {finding.check: finding for finding in found}
    assert len(by_check) == len(found), "a check has two findings"
    return by_check


@pytest.fixture(scope="module", params=KINDS[1:])
def shared_server_database(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database on each server in turn, for all tests of the module."""
    yield from make_shared(request.param, request)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what libpq would read from the environment of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)
