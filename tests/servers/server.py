"""The life of a test server, whichever it is: started, stopped, frozen, and removed without a trace."""

import contextlib
import secrets
import signal
import subprocess
import time
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Literal, Self

from tests.servers.authority import Authority, Certificate
from tests.servers.client import Client
from tests.servers.process import PATIENCE, ServerProcess
from tests.servers.system import ServerFailed, free_port

StopMode = Literal["fast", "immediate"]
ServerKind = Literal["postgresql", "mariadb", "mysql"]


class Server(Client):
    """One server on 127.0.0.1. Nothing is made or started before `start`, and `remove` takes everything away."""

    kind: ClassVar[ServerKind]
    accounts: ClassVar[tuple[str, ...]]  # the system accounts to run under if root runs the tests, the best first
    is_elsewhere: ClassVar[bool] = False
    """Whether this machine's own packages do not have it, so that it may be missing where all else has to be there."""
    stop_signals: ClassVar[Mapping[StopMode, signal.Signals]]

    def __init__(self, authority: Authority | None) -> None:
        """Plan a server, with TLS if there is an authority.

        Raises:
            ServerMissing: the server can't be run on this machine.
        """
        self.authority = authority
        self.ca = authority.ca if authority else None
        self.port = free_port()
        self.password = secrets.token_urlsafe(12)
        self.body = ServerProcess(self.kind, self.accounts)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.remove()

    @abstractmethod
    def initialise(self) -> None:
        """Make the data directory."""

    @abstractmethod
    def command(self) -> Sequence[str | Path]:
        """Return the command that runs the server in the foreground."""

    @abstractmethod
    def set_up(self) -> None:
        """Make the roles, in the server that runs for the first time."""

    @abstractmethod
    def reload_certificate(self) -> None:
        """Make the running server show the certificate that now lies in its directory."""

    @property
    def dialect(self) -> str:
        """SQLAlchemy's name for what it speaks, which MariaDB and MySQL have in common."""
        return "mysql" if self.kind == "mariadb" else self.kind

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """The running server process, or None."""
        return self.body.process

    @property
    def directory(self) -> Path:
        """Where the server keeps everything, from the first `start` to `remove`."""
        return self.body.directory

    def start(self) -> None:
        """Start the server and return when it takes logins; do nothing if it runs.

        Raises:
            ServerFailed: it ended, or gave no answer in time.
        """
        if self.body.moved_in:
            self._launch()
            return
        try:
            self.body.move_in()
            if self.authority:
                self._hand_over(self.authority.server)
                self.body.give("ca.pem", self.authority.ca.read_bytes())
            self.initialise()
            self._launch()
            self.set_up()
        except BaseException:
            self.remove()
            raise

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server and keep its data; do nothing if it does not run.

        "fast" ends the connections and shuts down in good order. "immediate" is a crash: the next start recovers.
        """
        self.body.stop(self.stop_signals[mode])

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start: the same data on the same port, all connections lost."""
        self.stop(mode)
        self.start()

    def remove(self) -> None:
        """End the server and take away its directory; a `start` after this makes it anew, empty."""
        self.body.remove()

    def freeze(self) -> None:
        """Halt the server: the kernel still takes connections for it, and nothing is ever answered."""
        self.body.freeze()

    def thaw(self) -> None:
        """End the freeze; do nothing if there is none."""
        self.body.thaw()

    def revive(self) -> None:
        """Make the server answer again, whatever a test that failed half-way has left it in."""
        with contextlib.suppress(ServerFailed):
            self.body.check()
        self.thaw()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze the server for the time of a ``with`` block."""
        self.freeze()
        try:
            yield
        finally:
            self.thaw()

    @contextlib.contextmanager
    def stopped(self, mode: StopMode = "fast") -> Iterator[None]:
        """Stop the server for the time of a ``with`` block."""
        self.stop(mode)
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def presenting(self, certificate: Certificate) -> Iterator[None]:
        """Show clients another certificate for the time of a ``with`` block."""
        assert self.authority, "this server offers no TLS"
        self._hand_over(certificate)
        self.reload_certificate()
        try:
            yield
        finally:
            self._hand_over(self.authority.server)
            self.reload_certificate()

    def _hand_over(self, certificate: Certificate) -> None:
        """Put the certificate where the server's settings point to."""
        self.body.give("server.pem", certificate.cert.read_bytes())
        self.body.give("server.key", certificate.key.read_bytes())

    def _launch(self) -> None:
        """Start the process, unless it runs, and wait until it takes a login."""
        if self.process:
            return
        self.body.start(self.command())
        deadline = time.monotonic() + PATIENCE
        refusal: Exception | None = None
        while time.monotonic() < deadline:
            self.body.check()
            try:
                self.connect(timeout=5, tls=False).close()  # whatever certificate a test has it show
            except Exception as error:  # each driver has its own; whatever the last one is, the report shows it
                refusal = error
                time.sleep(0.02)
            else:
                return
        self.stop("immediate")
        raise ServerFailed(f"{self.kind} gave no answer in {PATIENCE:g} s: {refusal}\n{self.body.log_tail()}")
