"""Compressing what a tool writes while it writes more, and reading it back."""

from __future__ import annotations

import fcntl
import hashlib
import os
import select
import stat
import struct
import termios
import zlib
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event
from types import TracebackType
from typing import Any, BinaryIO

from dbctl.connections.watching import raise_if_ended
from dbctl.errors import CheckFailed, ConfigError
from dbctl.runtime.distribution import how_to_install
from dbctl.runtime.waits import is_done, started

COMPRESSIONS = {"gzip": ".gz", "zstd": ".zst", "none": ""}
"""How a file can be compressed, and what its name ends with then."""

_CHUNK = 1024 * 1024
"""Bytes that are read at a time."""

_PACKED = 16 * 1024
"""Bytes that are unpacked at a time: a thousand times as many may come of them."""

_AHEAD = 8
"""How many parts may wait to be compressed."""

_BETWEEN_LOOKS = 20
"""Milliseconds between two looks at what a pipe still holds."""

_LEVEL = 6
"""zlib's level, which is gzip's own."""

_LOOK = 0.2
"""Seconds between two looks at whether the work was ended, while the file or the pipe takes nothing."""


class Sink:
    """What a backup is written to, in a thread of its own: compressed where that is wanted, measured and summed.

    As a context manager it lets go of the thread, also where the file takes no more: a pipe may stay full.

    Args:
        file: The file.
        compression: gzip, zstd or none.
    """

    def __init__(self, file: BinaryIO, compression: str) -> None:
        self._file = file
        self._compressor = _compressor(compression)
        self._sum = hashlib.sha256()
        self.size = 0
        """How many bytes are written by now."""
        self._parts: Queue[bytes | None] = Queue(_AHEAD)
        self._over = Event()
        self._done = started(self._take)

    def __enter__(self) -> Sink:
        """Return it."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Take nothing more."""
        self._over.set()

    def write(self, chunk: bytes) -> None:
        """Take a part, as soon as there is room for it.

        Raises:
            OSError: One before it could not be written.
        """
        self._hand_over(chunk)

    def close(self) -> tuple[int, str]:
        """Wait until all is written, and return the size and the SHA-256.

        Raises:
            OSError: It could not be.
        """
        self._hand_over(None)
        while not is_done(self._done, _LOOK):
            raise_if_ended()
        self._done.result()
        return self.size, self._sum.hexdigest()

    def _hand_over(self, part: bytes | None) -> None:
        while True:
            raise_if_ended()
            if self._done.done():
                self._done.result()
            try:
                return self._parts.put(part, timeout=_LOOK)
            except Full:
                continue

    def _take(self) -> None:
        """Write what is handed over until there is no more."""
        while not self._over.is_set():
            try:
                part = self._parts.get(timeout=_LOOK)
            except Empty:
                continue
            if part is None:
                self._put(self._compressor.flush() if self._compressor else b"")
                return
            self._put(self._compressor.compress(part) if self._compressor else part)

    def _put(self, data: bytes) -> None:
        left = memoryview(data)
        while left and not self._over.is_set():
            written = self._file.write(left)
            if written is None:  # a pipe that is full, and does not let one wait in it
                select.select([], [self._file], [], _LOOK)
            else:
                left = left[written:]
        self._sum.update(data)
        self.size += len(data)


def wait_for_reader(file: BinaryIO) -> None:
    """Wait until all that a pipe holds has been read: who leaves before that has not got all of it.

    Raises:
        BrokenPipeError: The reader has left.
    """
    if not stat.S_ISFIFO(os.fstat(file.fileno()).st_mode):
        return
    gone = select.poll()
    gone.register(file, 0)  # errors are told unasked
    while struct.unpack("i", fcntl.ioctl(file, termios.FIONREAD, bytes(struct.calcsize("i"))))[0]:
        raise_if_ended()
        if gone.poll(_BETWEEN_LOOKS):
            raise BrokenPipeError


def _compressor(compression: str) -> Any:
    if compression == "none":
        return None
    if compression == "zstd":
        return _zstandard().ZstdCompressor().compressobj()
    return zlib.compressobj(_LEVEL, zlib.DEFLATED, zlib.MAX_WBITS | 16)


def _zstandard() -> Any:
    try:
        import zstandard
    except ImportError as error:
        raise ConfigError(
            "zstd needs the package zstandard", f"install it with {how_to_install('zstd')}, or take gzip"
        ) from error
    return zstandard


def plain(path: Path, compression: str | None) -> Any:
    """Open a backup's file to read what is in it, without its compression; its `read` refuses what is broken."""
    if compression == "zstd":
        return _Unpacked(path, _zstandard().ZstdDecompressor().decompressobj(), _zstandard().ZstdError)
    if compression == "gzip":
        return _Unpacked(path, zlib.decompressobj(zlib.MAX_WBITS | 16), zlib.error)
    return path.open("rb")


class _Unpacked:
    """What is in a compressed file, read part by part to its marked end.

    Args:
        path: The file.
        unpacker: What unpacks it.
        refusal: What that raises.
    """

    def __init__(self, path: Path, unpacker: Any, refusal: type[Exception]) -> None:
        self._path, self._unpacker, self._refusal = path, unpacker, refusal
        self._file = path.open("rb")

    def read(self, _size: int = -1) -> bytes:
        """Return the next part, as long as it comes; nothing at the end.

        Raises:
            CheckFailed: The file ends before that, or can't be unpacked.
        """
        while not self._unpacker.eof:
            packed = self._file.read(_PACKED)
            if not packed:
                raise CheckFailed(f"{self._path} ends before its end: it is no whole backup")
            try:
                part: bytes = self._unpacker.decompress(packed)
            except self._refusal as error:
                raise CheckFailed(f"{self._path} can't be unpacked: {error}") from error
            if part:
                return part
        return b""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def chunks(file: Any) -> Iterator[bytes]:
    """Yield what a file has, part by part."""
    while chunk := file.read(_CHUNK):
        yield chunk
