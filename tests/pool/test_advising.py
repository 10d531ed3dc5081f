"""A running service's pools are each sized by their share, and what they may open is counted of all of them."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from sqlalchemy import create_engine

from dbctl.errors import ConfigError
from dbctl.pool import observe
from dbctl.pool.advising import Advice, _advice
from dbctl.pool.exposition import BOUNDS
from dbctl.pool.reading import Reading, read
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


def test_workers_that_run_go_before_those_of_the_profile() -> None:
    found = advised({"workers": 4, "pools": 4})
    assert found.workers == 4
    assert found.connections == 4 * (found.size + found.max_overflow)
    assert found.verdict.endswith("; 4 workers run, and the profile has workers = 1")
    pool = f"pool.size={found.size} pool.max_overflow={found.max_overflow}"
    assert found.lines == f"dbctl profiles set pg {pool} workers=4"
    assert "workers" not in advised({"workers": 1, "pools": 1}, workers=4).verdict


def test_the_metrics_of_another_profile_are_refused() -> None:
    body = observe(create_engine("sqlite://")).as_prometheus({"profile": "pg"}).encode()

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Metrics) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        for name in ("pg", "--url"):
            assert read(url, name, 0.01).checkouts == 0
        with pytest.raises(ConfigError, match="its pool is that of the profile pg, not of my"):
            read(url, "my", 0.01)
        server.shutdown()
