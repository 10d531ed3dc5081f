"""A service with alembic, in the directory where dbctl is run, and its database as the default profile."""

from collections.abc import Callable

import pytest

from tests.harness.cli import Dbctl
from tests.migrations.service import Service

MakeService = Callable[..., Service]


@pytest.fixture
def service(dbctl: Dbctl) -> MakeService:
    """Makes a service: of which env.py, and with which history."""

    def make(env: str = "generic", history: str = "shop", more: str = "") -> Service:
        return Service.make(dbctl.cwd, env, history, more)

    return make
