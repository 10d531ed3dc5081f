"""Several hosts that are a Galera cluster: a node that takes no part is never taken, and all of them are drawn."""

import asyncio
import os
import time
from collections.abc import Iterator

import pytest

from dbctl import probe
from dbctl.errors import ConnectError
from dbctl.profiles import Profile
from dbctl.topology import topology
from tests.faults.galera import GaleraNode
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.authority import Authority
from tests.servers.process import PATIENCE
from tests.servers.system import ServerMissing


@pytest.fixture(scope="module")
def nodes(authority: Authority) -> Iterator[tuple[GaleraNode, GaleraNode]]:
    """A cluster of two nodes, with a database."""
    try:
        first = GaleraNode(authority)
        second = GaleraNode(authority, first)
    except ServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))
    with first, second:
        first.create_database("hosts")
        yield first, second


def profile_at(nodes: tuple[GaleraNode, GaleraNode]) -> Profile:
    hosts = tuple(f"{node.host}:{node.port}" for node in nodes)
    return profile_of(TestDatabase.on_server(nodes[0], "hosts"), {"host": None, "port": None, "hosts": hosts})


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
def test_a_node_that_takes_no_part_is_passed_over(nodes: tuple[GaleraNode, GaleraNode], asynchronous: bool) -> None:
    first, second = nodes
    profile = profile_at(nodes)

    def ping() -> probe.PingReport:
        return asyncio.run(probe.async_ping(profile)) if asynchronous else probe.ping(profile)

    assert ping().port == first.port
    shown = topology(profile).nodes
    assert [(node.role, node.asked) for node in shown] == [("primary", True)] * 2
    assert len({node.cluster for node in shown}) == 1
    assert all("2 in the cluster" in (node.state or "") for node in shown)
    first.take_no_part()
    try:
        assert (ping().port, ping().role) == (second.port, "primary")
        apart, other = topology(profile).nodes
        assert (apart.asked, apart.role, other.role) == (False, "apart", "primary")
        assert "takes no part in its Galera cluster: wsrep_reject_queries = ALL" in (apart.error or "")
    finally:
        first.take_part()


def test_a_node_without_a_majority_is_taken_for_no_target(nodes: tuple[GaleraNode, GaleraNode]) -> None:
    """It is the last test: the cluster is gone with it."""
    first, second = nodes
    first.stop("immediate")
    deadline = time.monotonic() + PATIENCE
    while second.status["wsrep_ready"] == "ON":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with pytest.raises(ConnectError) as caught:
        probe.ping(profile_at(nodes))
    assert f"{second.host}:{second.port}: it takes no part in its cluster now" in caught.value.message
    assert f"{first.host}:{first.port}: TCP failed" in caught.value.message
    shown = {node.node: (node.role, node.error or "") for node in topology(profile_at(nodes)).nodes}
    role, told = shown[f"{second.host}:{second.port}"]
    assert (role, "wsrep_cluster_status = non-Primary" in told) == ("apart", True), shown
