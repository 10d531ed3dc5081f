"""What doctor finds on a test database."""

from collections.abc import Mapping
from typing import Any

from dbctl.backends.findings import Finding
from dbctl.doctor.diagnosis import examine
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of


def findings(database: TestDatabase, changes: Mapping[str, Any] | None = None, **more: Any) -> Mapping[str, Finding]:
    """Examine the database's profile with changes, and return the findings by their checks."""
    found = examine(profile_of(database, changes), **more)
    by_check = {finding.check: finding for finding in found}
    assert len(by_check) == len(found), "a check has two findings"
    return by_check
