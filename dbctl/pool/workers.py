"""One sum for the workers of a service, each of which is a process with a pool of its own.

Whichever worker is asked for `/metrics` answers for all: each writes what it has counted to a file in a directory that
they share, soon after something has changed. What a worker that has ended had counted stays in the sum, so that no
counter goes back.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from dbctl.errors import ConfigError
from dbctl.pool.snapshots import LabelUse, Snapshot, merged

if TYPE_CHECKING:
    from dbctl.pool.recorder import Recorder

_log = logging.getLogger(__name__)

_PAUSE = 0.5
"""Seconds between two looks at whether something has changed."""

_GONE = "ended"
"""The file of what the workers had counted that have ended."""

_sharing: WeakSet[Workers] = WeakSet()


class Workers:
    """What the recorders of all workers have counted together, of which this process has one.

    Args:
        recorder: This process's.
        directory: The directory that they share, made where it is not there. It is for this service's pool alone, and
            may outlast the service: then its counters go on.

    Raises:
        ConfigError: Nothing can be written to the directory.
    """

    def __init__(self, recorder: Recorder, directory: str | os.PathLike[str]) -> None:
        self._recorder = recorder
        self._directory = Path(directory)
        # A process with two pools there, one of each driver, is one worker.
        self._is_second = any(other._directory == self._directory for other in _sharing)
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._begin()
        except OSError as error:
            raise ConfigError(f"{directory}: metrics can't be shared there: {error.strerror}") from error
        _sharing.add(self)

    def _begin(self) -> None:
        """Become a worker, which lives for as long as its file is locked, however it ends."""
        self._written: Any = None
        self._open()
        self._end = threading.Event()
        threading.Thread(target=self._keep_writing, args=(self._end,), name="dbctl-metrics", daemon=True).start()

    def _open(self) -> None:
        self._path = self._directory / f"{uuid.uuid4().hex}.json"
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def begin_anew(self) -> None:
        """Become a worker of its own in a fork, in which the parent's thread does not run."""
        os.close(self._file)  # the parent holds it on
        self._begin()

    def close(self) -> None:
        """Be a worker no more; what was counted stays in the sum."""
        if self in _sharing:
            _sharing.discard(self)
            self._end.set()
            with suppress(OSError):
                if self._directory.exists():  # else it is not for who ends to make it again
                    self._write()
            os.close(self._file)

    def snapshot(self) -> Snapshot:
        """Return the sum over all workers, which the next one to be asked goes on from: so no counter goes back.

        Raises:
            OSError: The directory can't be read or written.
        """
        with self._alone():
            own = self._counted()
            self._put(own)  # or another worker that is asked next would know less
            others = [each for path in self._directory.glob("*.json") if (each := self._counts(path))]
            ended = [snapshot for path, snapshot, lives in others if not lives]
            if before := self._read(self._directory / _GONE):
                ended.append(before)
            if len(ended) > bool(before):
                self._keep(_of_ended(ended))
                for path, _, lives in others:
                    if not lives:
                        path.unlink()
        living = [snapshot for _, snapshot, lives in others if lives]
        return merged([own, *living, *([_of_ended(ended)] if ended else [])])

    def _keep(self, ended: Snapshot) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with open(os.open(self._directory / _GONE, flags, 0o600), "w", encoding="utf-8") as file:
            json.dump(ended.as_dict(), file)

    def _counted(self) -> Snapshot:
        snapshot = self._recorder.snapshot()
        snapshot.gauges["workers"] = 0 if self._is_second else 1
        return snapshot

    def _counts(self, path: Path) -> tuple[Path, Snapshot, bool] | None:
        """Return what another worker has counted, and whether it lives; None where it has not said it yet."""
        if path == self._path:
            return None
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                lives = False
            except BlockingIOError:
                lives = True
            snapshot = self._read(path)
        return (path, snapshot, lives) if snapshot else None

    def _read(self, path: Path) -> Snapshot | None:
        try:
            return Snapshot.from_dict(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except ValueError as error:  # it was killed while it wrote
            _log.debug("%s: left out: %s", path, error)
            return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Have no other worker read or write in the block; a directory that somebody has removed is made again."""
        with suppress(FileExistsError):
            self._directory.mkdir(mode=0o700)
        descriptor = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _keep_writing(self, end: threading.Event) -> None:
        told = False
        while not end.wait(_PAUSE):
            try:
                self._write()
            except OSError as error:
                if not told:
                    _log.warning("%s: metrics can't be shared: %s", self._directory, error)
                told = True
            else:
                told = False

    def _write(self) -> None:
        snapshot = self._counted()
        if (counted := (snapshot.counters, snapshot.gauges)) != self._written or not self._path.exists():
            with self._alone():
                self._put(self._counted())
            self._written = counted

    def _put(self, snapshot: Snapshot) -> None:
        if not self._path.exists():  # with the directory: what others had counted that have ended is lost
            before = self._file
            self._open()
            os.close(before)
        content = json.dumps(snapshot.as_dict()).encode()
        os.pwrite(self._file, content, 0)
        os.truncate(self._file, len(content))


def _of_ended(snapshots: list[Snapshot]) -> Snapshot:
    """Return the sum of what workers that have ended had counted: they have no connections any more."""
    total = merged(snapshots)
    total.gauges = dict.fromkeys(total.gauges, 0)
    total.labels = {label: LabelUse(use.checkouts, 0, use.usage_ns) for label, use in total.labels.items()}
    total.holders = []
    return total


def _begin_anew() -> None:
    for each in list(_sharing):
        try:
            each.begin_anew()
        except OSError as error:
            _log.warning("%s: this process's metrics are not shared: %s", each._directory, error)


os.register_at_fork(after_in_child=_begin_anew)
