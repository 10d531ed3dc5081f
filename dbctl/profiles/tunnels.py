"""What a profile may not ask of the tunnel to its database."""

from collections.abc import Iterator

from dbctl.profiles.model import Profile

TUNNELS = ("tunnel.ssh", "tunnel.command")
"""The keys of which a profile has one."""


def tunnel_problems(profile: Profile) -> Iterator[str]:
    """Yield a line for what is wrong with the profile's tunnel."""
    tunnel = profile.tunnel
    where = {key: f"{profile.origins.get(key, profile.called)}: {key}" for key in TUNNELS}
    if tunnel.ssh is not None and tunnel.command is not None:
        yield f"{where['tunnel.command']}: there is tunnel.ssh too; keep one"
    if tunnel.ssh is not None and (tunnel.ssh.startswith("-") or tunnel.ssh != "".join(tunnel.ssh.split())):
        yield (
            f"{where['tunnel.ssh']}: allowed is where ssh logs in, such as user@bastion; options stand in "
            "~/.ssh/config, or with all of the command in tunnel.command"
        )
    if tunnel.command is not None and not any("{port}" in word for word in tunnel.command):
        yield f"{where['tunnel.command']}: {{port}} is nowhere in it, the port that it is to open on this machine"
