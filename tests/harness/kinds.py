"""Running each test on one database instead of on all, where it is not the database that is on trial."""

from collections.abc import Sequence
from zlib import crc32

import pytest

from tests.harness.database import KINDS


def left_out(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """Return those tests whose like is run on another database.

    Which one stays hangs on the test's name, so that each database has its share. MySQL stays only where there is no
    other: its driver is MariaDB's too.
    """
    alike: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        if kind := _kind(item):
            alike.setdefault(without(kind, item.nodeid), {})[kind] = item
    return [
        item
        for name, on in alike.items()
        for kind, item in on.items()
        if kind != _chosen(name, [each for each in on if each != "mysql"] or list(on))
    ]


def without(kind: str, name: str) -> str:
    """Return a test's name without the kind of its database."""
    test, _, values = name.partition("[")
    return f"{test}[{'-'.join(value for value in values.removesuffix(']').split('-') if value != kind)}]"


def _kind(item: pytest.Item) -> str | None:
    params = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return next((str(value) for value in params if value in KINDS), None)


def _chosen(name: str, kinds: Sequence[str]) -> str:
    return kinds[crc32(name.encode()) % len(kinds)]
