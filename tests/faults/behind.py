"""Profiles of a test's database that lead through a proxy, in plaintext, so that the proxy can read what passes."""

from dataclasses import replace
from typing import Any

from dbctl.profiles import Profile
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.proxy import Proxy


def through(proxy: Proxy, database: TestDatabase, **changes: Any) -> Profile:
    """Return the profile; `changes` go before what it says, by dotted key."""
    way = {"host": proxy.host, "port": proxy.port, "ssl.mode": "disable", "connect_timeout": 5}
    return profile_of(database, way | changes)


def behind(proxy: Proxy, database: TestDatabase) -> TestDatabase:
    """Return the database with such a profile for the command line."""
    assert database.server
    toml = database.toml.replace(f"port = {database.server.port}\n", f"port = {proxy.port}\nconnect_timeout = 5\n")
    place, _, _ = toml.partition(f"[profiles.{database.profile}.ssl]")
    return replace(database, toml=f'{place}[profiles.{database.profile}.ssl]\nmode = "disable"\n')
