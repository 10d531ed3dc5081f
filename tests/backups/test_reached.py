"""The tools reach the server by the way that the profile says: its tunnel, its TLS, its password."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backups.conftest import Shop
from tests.backups.held import said
from tests.backups.stalled import COMMANDS, line_for
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS
from tests.servers.authority import Authority
from tests.servers.bastion import Bastion

pytestmark = pytest.mark.parametrize("database", SERVER_KINDS, indirect=True)

PASSWORDS = [
    'it\'s "quoted" # no comment; 100%s %% `$HOME` = [x]',
    " \\n back\\slash\ttab \\",  # ends with what would escape a quote, and begins with a space
]


@pytest.fixture
def through(shop: Shop, bastion: Bastion, tmp_path: Path) -> Dbctl:
    """dbctl whose profiles lead through a bastion, and verify the authority."""
    profiles = shop.dbctl.cwd / "profiles.toml"
    text = profiles.read_text().replace("verify-full", "verify-ca")
    tunnels = [f'[profiles.{name}.tunnel]\nssh = "bastion"\n' for name in (shop.database.profile, "admin")]
    profiles.write_text("\n".join([text, *tunnels]))
    return shop.dbctl.with_env(PATH=f"{bastion.ssh(tmp_path)}:{shop.dbctl.env['PATH']}")


def test_through_a_tunnel(shop: Shop, through: Dbctl) -> None:
    before = shop.contents()
    through.ok("backup", "create", "x.backup")
    for command in COMMANDS:
        through.ok(*line_for(shop, command, Path("x.backup")))
    assert shop.contents() == before


def test_through_a_tunnel_the_servers_own_name_is_verified_or_that_is_refused(shop: Shop, through: Dbctl) -> None:
    """MySQL's and MariaDB's tools can't verify another name than that of where they connect to."""
    profiles = through.cwd / "profiles.toml"
    profiles.write_text(profiles.read_text().replace("verify-ca", "verify-full"))
    result = through("backup", "create", "x.backup")
    if shop.database.kind == "postgresql":
        assert result.code == 0, str(result)
        return
    assert (result.code, result.out) == (3, ""), str(result)
    assert "verify-ca goes through" in said(result.err.encode())[-1]
    assert list(through.cwd.glob("*.backup*")) == []


def test_with_an_authority_that_has_not_signed_for_the_server(shop: Shop, authority: Authority) -> None:
    profiles, backup = shop.dbctl.cwd / "profiles.toml", shop.backup()
    profiles.write_text(profiles.read_text().replace(str(authority.ca), str(authority.wrong_ca)))
    for line in (("backup", "create", "x.backup"), *(line_for(shop, command, backup) for command in COMMANDS)):
        result = shop.dbctl(*line)
        assert (result.code, result.out) == (4, ""), str(result)
    assert list(shop.dbctl.cwd.glob("x.backup*")) == []


@pytest.fixture
def odd(shop: Shop, request: pytest.FixtureRequest) -> Iterator[Dbctl]:
    """dbctl with a profile `odd`, of a superuser with an odd password."""
    server, password = shop.database.server, request.param
    assert server
    server.create_role("odd", password)
    try:
        grant = {"postgresql": "ALTER ROLE odd SUPERUSER"}.get(shop.database.kind, "GRANT ALL ON *.* TO odd")
        server.execute(grant)
        profiles = shop.dbctl.cwd / "profiles.toml"
        table = shop.database.toml.replace(f"[profiles.{shop.database.profile}", "[profiles.odd")
        table = table.replace('user = "app"', 'user = "odd"')
        profiles.write_text(profiles.read_text() + table)
        yield shop.dbctl.with_env(**dict.fromkeys(shop.database.env, password))
    finally:
        server.drop_role("odd")


@pytest.mark.parametrize("odd", PASSWORDS, indirect=True)
def test_with_an_odd_password(shop: Shop, odd: Dbctl) -> None:
    before = shop.contents()
    odd.ok("-p", "odd", "backup", "create", "x.backup")
    odd.ok("-p", "odd", "restore", "x.backup", "--into", shop.database.name, "--drop-old")
    assert shop.contents() == before
