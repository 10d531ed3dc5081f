"""What a profile says of a tunnel: one way to one host, or an error before anything is started."""

import pytest

from dbctl.backends import backend_of
from dbctl.errors import ConfigError
from tests.profiles.loading import ProfileFile

PLACE = 'url = "postgresql://u@h/d"\n'


@pytest.mark.parametrize(
    ("lines", "key", "said"),
    [
        ('tunnel = "bastion"', "tunnel", "allowed is a table, such as [profiles.NAME.tunnel]"),
        ('tunnel.ssh = ""', "tunnel.ssh", 'allowed is where ssh logs in, such as "user@bastion"'),
        ('tunnel.ssh = "-oProxyCommand=evil"', "tunnel.ssh", "options stand in ~/.ssh/config"),
        ('tunnel.ssh = "-J jump bastion"', "tunnel.ssh", "options stand in ~/.ssh/config"),
        ('tunnel.ssh = "u@bastion -v"', "tunnel.ssh", "options stand in ~/.ssh/config"),
        ("tunnel.command = []", "tunnel.command", "allowed is a program and its arguments"),
        ('tunnel.command = "ssh {port}"', "tunnel.command", "allowed is a program and its arguments"),
        ('tunnel.command = ["ssh", "-N"]', "tunnel.command", "{port} is nowhere in it"),
        ('tunnel.ssh = "b"\ntunnel.command = ["x", "{port}"]', "tunnel.command", "there is tunnel.ssh too; keep one"),
        ('tunnel.shh = "bastion"', "tunnel.shh", 'did you mean "ssh"?'),
        ('tunnel_ssh = "bastion"', "tunnel_ssh", 'did you mean "tunnel.ssh"?'),
    ],
)
def test_what_can_be_no_tunnel_is_refused(lines: str, key: str, said: str, profile_file: ProfileFile) -> None:
    message = profile_file.error(PLACE + lines)
    assert message.startswith(f"{profile_file.path} [profiles.p]: {key}")
    assert said in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "place",
    [
        'url = "postgresql://u@/d?host=a,b"',
        'url = "postgresql://u@a,b/d"',
        'url = "postgresql://u@/d?host=/run/postgresql"',
        'url = "mysql://u@h/d?unix_socket=/run/mysqld.sock"',
    ],
)
def test_a_tunnel_leads_to_one_host(place: str, profile_file: ProfileFile) -> None:
    profile = profile_file.profile(f'{place}\ntunnel.ssh = "bastion"')
    with pytest.raises(ConfigError, match=r"\[profiles.p\]: tunnel.ssh: a tunnel leads to one host"):
        backend_of(profile)


def test_a_profiles_own_tunnel_takes_the_place_of_the_other_kind_in_the_defaults(profile_file: ProfileFile) -> None:
    own = '[defaults]\ntunnel.ssh = "b"\n[profiles.p]\ntunnel.command = ["x", "${PLACE}:{port}"]\n'
    profile = profile_file.profile(f"{own}{PLACE}", PLACE="pod")
    assert profile.tunnel.ssh is None
    assert profile.tunnel.command == ("x", "pod:{port}")
    assert profile.origins["tunnel.command"] == f"{profile_file.path} [profiles.p]"


def test_a_file_needs_no_tunnel_and_has_none(profile_file: ProfileFile) -> None:
    profile = profile_file.profile('[defaults]\ntunnel.ssh = "b"\n[profiles.p]\nurl = "sqlite://"\n')
    assert backend_of(profile).tunnel is None
    assert not profile_file.profile(PLACE).tunnel


@pytest.mark.parametrize("host", ["h", "::1"])
def test_ssh_asks_nothing_shares_nothing_and_forwards_loopback_alone(host: str, profile_file: ProfileFile) -> None:
    named = f"[{host}]" if ":" in host else host
    profile = profile_file.profile(f'url = "postgresql://u@{named}:6000/d"\ntunnel.ssh = "u@bastion"')
    words = list(backend_of(profile)._words())
    assert words[0] == "ssh"
    assert words[-3:] == ["-L", f"127.0.0.1:{{port}}:{named}:6000", "u@bastion"]
    assert " ".join(words).count("-S none") == 1
    assert "BatchMode=yes" in words
