"""Migrations behind a bastion, by the engine that alembic's own templates make, sync and async."""

import os

import pytest

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.migrations.conftest import MakeService
from tests.servers.bastion import Bastion


@pytest.mark.parametrize("template", ["generic", "async"])
def test_a_history_is_run_through_a_tunnel(
    template: str, dbctl: Dbctl, server_database: TestDatabase, bastion: Bastion, service: MakeService
) -> None:
    service(template)
    toml = f'{server_database.toml}\n[profiles.{server_database.profile}.tunnel]\nssh = "bastion"\n'
    (dbctl.cwd / "profiles.toml").write_text(toml, encoding="utf-8")
    behind = dbctl.with_env(**server_database.env, PATH=f"{bastion.ssh(dbctl.cwd)}:{os.environ['PATH']}")
    assert behind.ok("migrate", "upgrade", "--json").json
    assert behind.ok("migrate", "check").code == 0
    assert server_database.execute("SELECT version_num FROM alembic_version")
