"""The machine that dbctl runs on: whether it is a container, and what is mounted there."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

CONTAINER_MARKS = ("/.dockerenv", "/run/.containerenv")
"""Files that Docker and Podman put into each container."""

_KUBERNETES = "KUBERNETES_SERVICE_HOST"
"""The variable that Kubernetes sets in each container."""

_SECRETS = Path("/run/secrets")
_FOR_ALL = {Path("/tmp"), Path("/var/tmp")}
"""Where anybody puts anything, also where it is a tmpfs."""

_MOUNTS = "/proc/self/mountinfo"
_IN_MEMORY = {"tmpfs", "ramfs"}


def in_container(environ: Mapping[str, str] = os.environ) -> bool:
    """Tell whether this is a container: its files may belong to a user of the host, who is nobody here."""
    return bool(environ.get(_KUBERNETES)) or any(map(os.path.exists, CONTAINER_MARKS))


def is_mount_for_secrets(path: Path) -> bool:
    """Tell whether a file is on a mount that was made for secrets, where its mode says nothing and can't be changed.

    That is what lies below `/run/secrets`, in memory alone, or on a mount that nobody can write to.
    """
    real = Path(os.path.realpath(path))
    if real.is_relative_to(_SECRETS):
        return True
    try:
        if os.statvfs(real).f_flag & os.ST_RDONLY:
            return True
        mounts = dict(_mounts())
    except OSError:
        return False
    mount = next((parent for parent in (real, *real.parents) if parent in mounts), None)
    return mount is not None and mount not in _FOR_ALL and mounts[mount] in _IN_MEMORY


def _mounts() -> Iterator[tuple[Path, str]]:
    """Yield each mount and the kind of its file system; of two at one place the last is the one that is seen.

    https://docs.kernel.org/filesystems/proc.html: the fifth field is the place, with octal escapes, and the one behind
    the hyphen the kind.
    """
    with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            before, _, behind = line.partition(" - ")
            place = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), before.split()[4])
            yield Path(place), behind.split()[0]
