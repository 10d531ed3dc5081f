"""Files for the tests to write."""

from pathlib import Path


def private(path: Path) -> Path:
    """Return a path to write to, whose file nobody but its owner can read."""
    path.touch()
    path.chmod(0o600)
    return path
