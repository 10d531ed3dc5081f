"""What the servers need from the operating system: an account to run under, a directory, a port, their programs."""

import os
import pwd
import random
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

UNSTABLE = Path(__file__).parents[2] / ".venv-test" / "unstable"
"""Where `tests/run` unpacks the servers of Debian's unstable packages."""

CLIENTS = UNSTABLE.with_name("clients") / "bin"
"""Where `tests/run` installs the databases' terminal clients of PyPI, apart from what dbctl depends on."""


class ServerMissing(Exception):
    """The server can't be run on this machine; the message says what is missing."""


class ServerFailed(Exception):
    """The server is there but did not start or did not stop; the message ends with the end of its log."""


def unprivileged(names: Iterable[str]) -> pwd.struct_passwd | None:
    """Return the first of the accounts that exists, for root to run the server under; nothing for ordinary users.

    PostgreSQL refuses to run as root, and MariaDB does so only when told to.

    Raises:
        ServerMissing: root runs the tests, and none of the accounts exists.
    """
    if os.geteuid() != 0:
        return None
    wanted = [*names, "nobody"]
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in wanted:
        if name in known:
            return known[name]
    raise ServerMissing(f"as root: none of the accounts {', '.join(wanted)} exists to run the server under")


def own_directory(name: str, account: pwd.struct_passwd | None) -> Path:
    """Make a new temporary directory that belongs to the account, or to the user of the tests if there is none."""
    places = [Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp")]
    if account:
        places = [place for place in places if _open_to_all(place)]
    if not places:
        raise ServerMissing(f"no temporary directory that the account {account and account.pw_name} can get into")
    directory = Path(tempfile.mkdtemp(prefix=f"dbctl-{name}-", dir=places[0])).resolve()
    if account:
        os.chown(directory, account.pw_uid, account.pw_gid)
    return directory


def _open_to_all(place: Path) -> bool:
    """Tell whether every account can get into the directory; root's TMPDIR may well lie in root's home."""
    steps = [place.resolve(), *place.resolve().parents]
    return all(step.is_dir() and step.stat().st_mode & stat.S_IXOTH for step in steps)


def programs(names: Iterable[str], places: Iterable[Path]) -> dict[str, Path]:
    """Return the named programs, all from the first directory that holds every one of them.

    One directory, because the programs of a server belong together by version: a lone link to one of them, as some
    people keep in /usr/local/bin, does not lead to its siblings.

    Raises:
        ServerMissing: there is no such directory.
    """
    wanted = list(names)
    for place in places:
        found = {name: shutil.which(name, path=place) for name in wanted}
        if all(found.values()):
            return {name: Path(path) for name, path in found.items() if path}
    raise ServerMissing(f"{' and '.join(wanted)} not found; `bash tests/run`, as root on Debian, installs them")


def newest(*places: str) -> list[Path]:
    """Return the directories of the unstable packages' programs, if they are there.

    DBCTL_TEST_SERVERS=installed leaves them out: then the servers are those of the machine itself.
    """
    return [] if os.environ.get("DBCTL_TEST_SERVERS") == "installed" else unstable(*places)


def unstable(*places: str) -> list[Path]:
    """Return the same, whichever servers are wanted."""
    if not (UNSTABLE / "complete").exists():
        return []
    return [found for place in places for found in UNSTABLE.glob(place)]


def search_path() -> list[Path]:
    """Return the directories of PATH, and those for system programs, which an ordinary user's PATH leaves out."""
    listed = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return [Path(place) for place in [*listed, "/usr/local/sbin", "/usr/sbin", "/sbin"] if place]


_held: list[socket.socket] = []
"""The ports that were given to servers, for as long as this process runs."""


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that nobody has, and hold it, so that nobody else among the tests takes it.

    A server can listen on it all the same: it says SO_REUSEADDR, as who holds it does, without listening.

    It lies below the range that the kernel gives to outgoing connections. There, while the server is down, a client's
    own end might get the server's number: the server could not come back, and a client that keeps trying could even
    connect to itself.
    """
    for port in random.sample(range(15_000, 32_000), 200):
        candidate = socket.socket()
        try:
            candidate.bind(("127.0.0.1", port))
        except OSError:
            candidate.close()
            continue
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _held.append(candidate)
        return port
    raise ServerFailed("no free port of 127.0.0.1 among 200 tried")
