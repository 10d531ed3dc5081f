"""What can't be had on one machine, a network in between and old TLS, is judged from facts as a server gives them."""

import socket
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dbctl.backends.audit import Clock, Facts, IdleTransaction, Limit, Timeout, Way, way_of
from dbctl.backends.findings import Level
from dbctl.doctor import rules
from dbctl.profiles import Profile
from dbctl.profiles.layers import Layer, build
from dbctl.profiles.model import Pool


def profile(changes: Mapping[str, Any]) -> Profile:
    values = {"driver": "postgresql", "host": "db.example.com", "user": "shop", "database": "shop"}
    return build("shop", [Layer({**values, **changes}, "the test")])


@pytest.mark.parametrize(
    ("changes", "facts", "levels"),
    [
        ({"ssl.mode": "disable"}, Facts(way=Way.NETWORK), [Level.WARNING]),
        ({"ssl.mode": "disable", "environment": "production"}, Facts(way=Way.NETWORK), [Level.ERROR]),
        ({"ssl.mode": "disable"}, Facts(way=Way.LOOPBACK), [Level.NOTE]),
        ({"ssl.mode": "disable"}, Facts(way=Way.SOCKET_FILE), [Level.OK]),
        ({"ssl.mode": "require"}, Facts(way=Way.NETWORK, tls="TLSv1.3"), [Level.WARNING]),
        ({"ssl.mode": "prefer"}, Facts(way=Way.NETWORK, tls="TLSv1.3"), [Level.WARNING]),
        ({"ssl.mode": "verify-full"}, Facts(way=Way.NETWORK, tls="TLSv1.2"), [Level.OK]),
        ({"ssl.mode": "verify-full"}, Facts(way=Way.NETWORK, tls="TLSv1.1"), [Level.WARNING, Level.OK]),
        ({}, Facts(), []),
    ],
)
def test_tls_is_judged_by_how_far_the_socket_reaches(
    changes: Mapping[str, Any], facts: Facts, levels: list[Level]
) -> None:
    assert [finding.level for finding in rules._tls(profile(changes), facts)] == levels


def test_a_sockets_peer_tells_how_far_it_reaches() -> None:
    ends = socket.socketpair()
    assert way_of(ends[0].fileno()) is Way.SOCKET_FILE
    ends[0].sendall(b"still open")
    for end in ends:
        end.close()
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert way_of(client.fileno()) is Way.LOOPBACK
        assert client.gettimeout() is None


@pytest.mark.parametrize(("days", "level"), [(31, Level.OK), (29, Level.WARNING), (6, Level.ERROR), (-1, Level.ERROR)])
def test_a_certificate_is_judged_by_the_time_that_is_left(days: int, level: Level) -> None:
    facts = Facts(certificate_ends=datetime.now(UTC) + timedelta(days=days))
    [found] = rules._certificate(profile({}), facts)
    assert (found.level, found.limit, found.unit) == (level, 30, "days")
    assert found.value == pytest.approx(days, abs=0.01)


@pytest.mark.parametrize(
    ("changes", "facts", "check", "figures"),
    [
        ({"workers": 4}, Facts(limits=[Limit("max", 97, 12, 2)]), "connections", (60, 97, 10, "connections")),
        ({"pool.size": 0}, Facts(limits=[Limit("max", 97, 12, 2)]), "connections", (None, 97, 10, "connections")),
        ({"pool.recycle": 60}, Facts(idle=Timeout("wait_timeout", 28800)), "recycle", (60, 28800, None, "s")),
        ({}, Facts(idle=Timeout("wait_timeout", None)), "recycle", (None, None, None, "s")),
        ({"statement_timeout": 2.5}, Facts(statement=Timeout("x", 9)), "statement_timeout", (2.5, None, None, "s")),
        ({}, Facts(statement=Timeout("x", 9)), "statement_timeout", (9, None, None, "s")),
        ({}, Facts(), "statement_timeout", (None, None, None, "s")),
        ({}, Facts(open_transaction=Timeout("x", 60)), "transaction_timeout", (60, None, None, "s")),
        ({}, Facts(open_transaction=Timeout("x", None)), "transaction_timeout", (None, None, None, "s")),
        ({}, Facts(transactions=()), "idle_transactions", (0, 60, None, "s")),
        (
            {},
            Facts(transactions=[IdleTransaction(1, 2.5, ()), IdleTransaction(2, 90, (3,))]),
            "idle_transactions",
            (90, 60, None, "s"),
        ),
        ({}, Facts(clock=Clock(-3.25, 0.001, 0)), "clock", (-3.25, 1, None, "s")),
        ({}, Facts(clock=Clock(0.01, 0.001, 0)), "clock", (0.01, 1, None, "s")),
        ({}, Facts(way=Way.LOOPBACK), "pre_ping", (None, None, None, None)),
    ],
)
def test_what_has_a_number_has_it_in_figures(
    changes: Mapping[str, Any], facts: Facts, check: str, figures: tuple[float | None, ...]
) -> None:
    chosen = profile(changes)
    found = {finding.check: finding for rule in rules.RULES for finding in rule(chosen, facts)}[check]
    assert (found.value, found.limit, found.used, found.unit) == figures


def test_a_time_zone_is_told_by_what_it_is_away() -> None:
    here = time.localtime().tm_gmtoff
    [found] = rules._time_zone(profile({}), Facts(clock=Clock(0, 0, here + 5400)))
    assert (found.level, found.value, found.limit, found.unit) == (Level.NOTE, 5400, 0, "s")


@pytest.mark.parametrize(
    ("pool", "room", "workers", "fix"),
    [
        ({"size": 20, "max_overflow": 10}, 97, 4, "pool.size = 14"),
        ({"size": 5, "max_overflow": 10}, 10, 1, "pool.size = 10, pool.max_overflow = 0"),
        ({"size": 5, "max_overflow": -1}, 97, 2, "pool.max_overflow = 43"),
        ({"size": 60, "max_overflow": -1}, 97, 2, "pool.size = 48, pool.max_overflow = 0"),
        ({"size": 0, "max_overflow": 10}, 97, 2, "pool.size = 38"),
        ({"size": 5, "max_overflow": 10}, 3, 4, None),
    ],
)
def test_the_pool_that_fits_keeps_what_it_can(pool: Mapping[str, int], room: int, workers: int, fix: str) -> None:
    assert rules._smaller_pool(Pool(**pool), room, workers) == fix
