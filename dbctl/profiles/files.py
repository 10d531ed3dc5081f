"""Profile files and the files that a profile names: what is in them, and whether nobody else can read it."""

import codecs
import errno
import os
import shlex
import stat
from pathlib import Path

from dbctl.errors import ConfigError
from dbctl.runtime.machine import is_mount_for_secrets

_LARGEST = 16 * 2**20
"""Bytes: what is longer is no file of settings, and may have no end."""

_ROOTS_OWN = 0o640
_ONES_OWN = 0o600


# What a text may begin with to say how it is encoded, as editors on Windows write it; UTF-32 begins as UTF-16 does.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


def absolute(path: str | Path) -> Path:
    """Return a path from the root.

    Raises:
        ConfigError: It is a relative one, and the working directory has been removed.
    """
    try:
        return Path(os.path.abspath(path))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: the working directory is gone", "change to one that is there") from error


def content_of(path: Path) -> bytes:
    """Return a file's bytes.

    Raises:
        OSError: It can't be read, or is longer than any file of settings.
    """
    with path.open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def text_of(path: Path) -> str:
    """Return a file's text, to the letter but for a byte order mark.

    Raises:
        ConfigError: It can't be read; the cause is a FileNotFoundError where it is not there.
    """
    try:
        return decoded_as(content_of(path), str(path))
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise ConfigError(f"{path}: can't be read: {getattr(error, 'strerror', None) or error}") from error


def decoded(content: bytes) -> str:
    """Return the text that stands in a file: UTF-8, or what its byte order mark says; without that mark.

    Raises:
        UnicodeDecodeError: It is none.
    """
    mark = next((mark for mark in _MARKS if content.startswith(mark)), b"")
    return content[len(mark) :].decode(_MARKS.get(mark, "utf-8"))


def decoded_as(content: bytes, name: str) -> str:
    """Return the text that stands in a file, or in what is called so, as `decoded` does.

    Raises:
        ConfigError: It is none.
    """
    try:
        return decoded(content)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not UTF-8 text: {error.reason} at byte {error.start}") from error


def is_file(path: Path) -> bool:
    """Tell whether there is a file, as far as the operating system lets one look; where it does not, there is none."""
    return os.path.isfile(path)


def unreadable(path: Path) -> str | None:
    """Return why a file can't be read, or None where it can."""
    try:
        with path.open("rb"):
            return None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        return getattr(error, "strerror", None) or str(error)


def exposed(path: Path) -> str | None:
    """Return who besides its owner may read or write a file, and the chmod that ends it; None where nobody may.

    The rule is libpq's for private keys (https://www.postgresql.org/docs/current/libpq-ssl.html): a file that root owns
    may be readable by its group, so that a service can read it; any other is its owner's alone. What Docker, Podman or
    Kubernetes mount for a secret may be read by all in the container, and nothing there can change that: it is not
    asked.

    Raises:
        ConfigError: The operating system does not let one look.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    allowed = _ONES_OWN if found.st_uid else _ROOTS_OWN
    mode = stat.S_IMODE(found.st_mode)
    if not mode & 0o077 & ~allowed or is_mount_for_secrets(path):
        return None
    return f"others can read or change {path} (mode {mode:04o}); chmod {allowed:o} {shlex.quote(str(path))}"
