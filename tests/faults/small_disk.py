"""A disk of a few megabytes that can be filled up: a tmpfs, which only root can mount."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.mariadb import MariaDBServer
from tests.servers.postgres import PostgresServer
from tests.servers.process import ServerProcess

MEGABYTES = 192


def mount(point: Path, megabytes: int = MEGABYTES) -> None:
    """Mount a small disk that belongs to the owner of the directory above; skip the test where that is refused."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk to fill up")
    owner = point.parent.stat()
    point.mkdir()
    options = f"size={megabytes}m,mode=0700,uid={owner.st_uid},gid={owner.st_gid}"
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", point], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")


class SmallPostgres(PostgresServer):
    """PostgreSQL whose data are on a small disk. The end of its directory unmounts it, as all else below."""

    def initialise(self) -> None:
        """Make the data directory."""
        mount(self.directory / "data")
        super().initialise()


class SmallMariaDB(MariaDBServer):
    """MariaDB whose data are on a small disk."""

    def initialise(self) -> None:
        """Make the data directory."""
        mount(self.directory / "data")
        super().initialise()


@contextlib.contextmanager
def small_disk() -> Iterator[Path]:
    """Have a small disk of its own for the block, which is unmounted however the tests end."""
    place = ServerProcess("disk", ["nobody"])
    place.move_in()
    try:
        mount(place.directory / "data", 8)
        yield place.directory / "data"
    finally:
        place.remove()


@contextlib.contextmanager
def filled_up(disk: Path) -> Iterator[None]:
    """Leave no byte free on a small disk for the time of the block."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        try:
            free = os.statvfs(disk)
            if free.f_bavail:
                os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize)
            assert os.statvfs(disk).f_bavail == 0
            yield
        finally:
            ballast.unlink()
