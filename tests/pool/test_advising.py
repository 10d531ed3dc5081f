"""A running service's pools are each sized by their share, and what they may open is counted of all of them."""

from typing import Any

import pytest

from dbctl.pool.advising import Advice, _advice
from dbctl.pool.exposition import BOUNDS
from dbctl.pool.reading import Reading
from dbctl.profiles.layers import Layer, build


def advised(gauges: dict[str, float | None], room: int | None = 97, **values: Any) -> Advice:
    """Size a pool of 8 by 10 s in which 600 requests each held a connection for 0.2 s: 12 in use."""
    values = {"driver": "postgresql+psycopg2", "database": "shop", "user": "app", "password": "x", **values}
    profile = build("pg", [Layer(values, "the test")])
    waits = [600] * (len(BOUNDS) + 1)
    return _advice(profile, Reading(10.0, 600, 0, 0, 600, 120.0, waits, {"in_use_most": 8, **gauges}), room)


@pytest.mark.parametrize(
    ("gauges", "pools"), [({}, 1), ({"workers": 1, "pools": 2}, 2), ({"workers": 4, "pools": 8}, 8)]
)
def test_the_figures_are_of_each_pool_and_the_connections_of_all(gauges: dict[str, float | None], pools: int) -> None:
    found = advised(gauges, None, workers=6)
    assert (found.pools, found.per_second, found.in_use) == (pools, 60 / pools, 12 / pools)
    in_a_process = 1 if pools == 1 else 2
    assert found.connections == (found.size + found.max_overflow) * 6 * in_a_process
    assert (f"in each of {pools} pools {found.per_second:g} requests/s" in found.verdict) == (pools > 1)
    crowded = advised(gauges, 48, workers=6)
    assert crowded.connections <= 48
    assert "the server has room for" in crowded.verdict
