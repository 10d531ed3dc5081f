"""A test's database as a profile, for tests that use dbctl as a library."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, make_url

from dbctl.backends.base import Missing
from dbctl.connections.connector import opened
from dbctl.connections.engines import build_engine
from dbctl.profiles import Profile
from dbctl.profiles.layers import Layer, build, layer_from_table, layer_from_url
from dbctl.profiles.tls import VERIFYING
from dbctl.work.database import Database
from dbctl.work.sessions import unit_of_work
from tests.harness.database import TestDatabase


def profile_of(database: TestDatabase, changes: Mapping[str, Any] | None = None) -> Profile:
    """Return the database's profile; `changes` go before what it says, by dotted key, such as `ssl.mode`.

    A mode that does not verify takes the authority away, which it would have no use for.
    """
    changes = dict(changes or {})
    if changes.get("ssl.mode", "verify-full") not in VERIFYING:
        changes.setdefault("ssl.ca", None)
    table = tomllib.loads(database.toml)["profiles"][database.profile]
    layers = [layer_from_table(table, "profiles.toml", Path(), os.environ)]
    if password := make_url(database.url).password:
        layers.append(Layer({"password": password}, "the test"))
    return build(database.profile, [*layers, Layer(changes, "the test")])


def profile_at(url: str, changes: Mapping[str, Any] | None = None) -> Profile:
    """Return a profile of a URL; `changes` go before what it says, by dotted key."""
    return build("test", [layer_from_url(url, "the test"), Layer(dict(changes or {}), "the test")])


@contextmanager
def engine_of(profile: Profile, missing: Missing = Missing.CREATE) -> Iterator[Engine]:
    """Build an engine for the block."""
    engine = build_engine(profile, missing)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def one_unit(profile: Profile, missing: Missing = Missing.CREATE, *, writes: bool = True) -> Iterator[Database]:
    """Run the block as a unit of work on an engine of its own."""
    with opened(profile, missing) as connector, unit_of_work(connector, writes=writes) as database:
        yield database
