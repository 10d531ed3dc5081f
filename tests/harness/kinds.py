"""Which databases a test is run on, where not on all: DBCTL_TEST_KINDS is `all`, `pair` or `one`.

MySQL and MariaDB have one driver and one backend. Where it is not the databases that are on trial, each test is run on
one of them (`pair`), or on one database alone (`one`). Which one it is hangs on the test's name: each has its share.
"""

from collections.abc import Collection, Iterator, Sequence
from zlib import crc32

import pytest

from tests.harness.database import KINDS

PAIR = frozenset({"mysql", "mariadb"})


def left_out(items: Sequence[pytest.Item], amount: str) -> Iterator[pytest.Item]:
    """Yield those tests whose like is run on another database.

    Args:
        items: All tests.
        amount: On how many databases each is to run: `pair` leaves out nothing that has the mark `each`;
            `one` leaves MySQL only what runs nowhere else, for its driver is MariaDB's too.
    """
    alike: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        if kind := _kind(item):
            alike.setdefault(without(kind, item.nodeid), {})[kind] = item
    for name, on in alike.items():
        if amount == "one":
            chosen = _chosen(name, set(on) - {"mysql"} or set(on))
            yield from (item for kind, item in on.items() if kind != chosen)
        elif amount == "pair" and on.keys() >= PAIR and not on["mysql"].get_closest_marker("each"):
            yield on[_chosen(name, PAIR)]


def without(kind: str, name: str) -> str:
    """Return a test's name without the kind of its database."""
    test, _, values = name.partition("[")
    return f"{test}[{'-'.join(value for value in values.removesuffix(']').split('-') if value != kind)}]"


def _kind(item: pytest.Item) -> str | None:
    params = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    return next((str(value) for value in params if value in KINDS), None)


def _chosen(name: str, kinds: Collection[str]) -> str:
    return sorted(kinds)[crc32(name.encode()) % len(kinds)]
