"""Where rows come from: files, compressed or not, and standard input; as bytes, read as they are wanted."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from dbctl.bulk.advice import SAY_ENCODING
from dbctl.bulk.forms import COMPRESSIONS
from dbctl.errors import ConfigError, UsageError, WorkRefused
from dbctl.records import record
from dbctl.runtime.distribution import how_to_install
from dbctl.runtime.standard_input import standard_input

STDIN = "-"

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PART = 1 << 20
"""Bytes that are decoded at a time."""
_PACKED = 1 << 14
"""Bytes of zstd that are unpacked at a time; each may become some ten thousand."""


@record
class Source:
    """A file that rows are read from.

    Args:
        name: Its name as it is told.
        stream: Its bytes, unpacked.
        file: Its bytes as they stand; where these have been read to is how far the work has come.
        size: How many these are; None where nobody knows.
    """

    name: str
    stream: Any
    file: Any
    size: int | None


@contextmanager
def opened(name: str, compression: str = "none") -> Iterator[Source]:
    """Open a file, or standard input, and unpack what ends with .gz or .zst.

    Args:
        name: The file's name, or - for standard input.
        compression: How it is compressed though its name does not tell: gzip or zstd.

    Raises:
        UsageError: There is no such file, or it can't be read.
        ConfigError: What unpacks it is not installed.
    """
    with ExitStack() as held:
        if name == STDIN:
            file: BinaryIO = standard_input()
            size = None
        else:
            path = Path(name).expanduser()
            try:
                file = held.enter_context(path.open("rb"))
                size = path.stat().st_size if path.is_file() else None
            except OSError as error:
                raise UsageError(f"{name}: it can't be read: {error.strerror}") from error
        told = "standard input" if name == STDIN else name
        by_name = COMPRESSIONS.get(name.rpartition(".")[2], compression)
        yield Source(told, held.enter_context(_unpacked(told, file, by_name)), file, size)


@contextmanager
def _unpacked(name: str, file: BinaryIO, compression: str) -> Iterator[Any]:
    if compression == "gzip":
        with gzip.GzipFile(fileobj=file) as stream:
            yield _Packed(name, stream)
    elif compression == "zstd":
        try:
            import zstandard
        except ImportError as error:
            raise ConfigError(
                f"{name}: zstd needs the package zstandard", f"install it with {how_to_install('zstd')}"
            ) from error
        yield _Packed(name, _Frames(file, zstandard.ZstdDecompressor().decompressobj), zstandard.ZstdError)
    else:
        yield file


class _Frames:
    """What is unpacked of frames of zstd; the package's own reader takes a file that ends within one for a whole one.

    Args:
        file: The file.
        begin: Returns what unpacks one frame.
    """

    def __init__(self, file: BinaryIO, begin: Callable[[], Any]) -> None:
        self._file, self._begin = file, begin
        self._frame: Any = None
        self._rest = b""
        self._ready = io.BytesIO()

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end.

        Raises:
            EOFError: The file ends within a frame.
        """
        while not (part := self._ready.read(size)):
            packed = self._rest or self._file.read(_PACKED)
            if not packed:
                if self._frame is not None:
                    raise EOFError("it ends before its last frame does")
                return b""
            self._frame = self._frame or self._begin()
            self._ready = io.BytesIO(self._frame.decompress(packed))
            self._rest = b""
            if self._frame.eof:
                self._rest, self._frame = self._frame.unused_data, None
        return part


class _Packed:
    """What is unpacked of a file, which says by name where it is broken."""

    def __init__(self, name: str, stream: Any, *refusals: type[Exception]) -> None:
        self._name, self._stream = name, stream
        self._refusals: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, *refusals)

    def read(self, size: int) -> bytes:
        """Return so many bytes, fewer at the end.

        Raises:
            WorkRefused: It can't be unpacked, or ends too early.
        """
        try:
            return self._stream.read(size)  # type: ignore[no-any-return]
        except self._refusals as error:
            raise WorkRefused(f"{self._name} can't be unpacked: {error}") from error


class Utf8:
    """A file's text as UTF-8, without a byte order mark, and with LF where the file has nothing but CR.

    Args:
        source: The file.
        encoding: What it is encoded in; None for UTF-8, or UTF-16 where its byte order mark says so.

    Raises:
        UsageError: There is no such encoding.
    """

    def __init__(self, source: Source, encoding: str | None) -> None:
        self._source, self._stream = source, source.stream
        head = _filled(self._stream, _PART)
        for mark, marked in _MARKS:
            if head.startswith(mark) and (encoding is None or _same(encoding, marked)):
                encoding = marked
                head = head.removeprefix(mark) if marked == "utf-8" else head
                break
        self._decoder = None
        if encoding is not None and not _same(encoding, "utf-8"):
            self._decoder = _decoder(encoding)
        self._encoding = encoding
        self._lines = 1
        self._head: bytes | None = self._recoded(head)
        self._cr = b"\r" in self._head and b"\n" not in self._head
        if self._cr:
            self._head = self._head.replace(b"\r", b"\n")

    def read(self, size: int) -> bytes:
        """Return about so many bytes; none at the end."""
        if self._head is not None:
            head, self._head = self._head, None
            if head:
                return head
        part = self._recoded(self._stream.read(size))
        return part.replace(b"\r", b"\n") if self._cr else part

    def _recoded(self, part: bytes) -> bytes:
        if self._decoder is None:
            return part
        try:
            text = self._decoder.decode(part, final=not part)
        except UnicodeError as error:
            raise WorkRefused(
                f"{self._source.name}, line {self._lines} or behind: it is no {self._encoding}", SAY_ENCODING
            ) from error
        self._lines += text.count("\n")
        return text.encode()


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    try:
        "".encode(encoding)  # which refuses what is a codec and no encoding of text, as base64
        return codecs.getincrementaldecoder(encoding)()
    except (LookupError, TypeError, ValueError) as error:
        raise UsageError(f"--encoding {encoding}: there is no such encoding", "utf-8, latin-1, cp1252 …") from error


def _same(one: str, other: str) -> bool:
    plain = [name.lower().replace("-", "").replace("_", "").removesuffix("sig") for name in (one, other)]
    return plain[0] == plain[1]


def _filled(stream: Any, size: int) -> bytes:
    """Return the first bytes: a pipe gives fewer at a time, and what the file is has to be told by more than two."""
    buffer = io.BytesIO()
    while buffer.tell() < size and (part := stream.read(size - buffer.tell())):
        buffer.write(part)
    return buffer.getvalue()
