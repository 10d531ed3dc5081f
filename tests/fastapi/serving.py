"""An app behind a real server on loopback, and real clients for it."""

import contextlib
import logging
import socket
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from fastapi.testclient import TestClient


def in_process(app: Any, **options: Any) -> "TestClient":
    """Return FastAPI's own client for tests, which runs the app in this process."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Using `httpx`")  # of which the newest Starlette has a successor
        from fastapi.testclient import TestClient

    return TestClient(app, **options)


class Served:
    """An app that uvicorn serves on 127.0.0.1, from a thread, inside a `with` block.

    Attributes:
        client: a client, for any number of threads at once.
    """

    def __init__(self, app: Any) -> None:
        """Plan to serve an ASGI app."""
        self._app = app

    def __enter__(self) -> "Served":
        # It listens from now on: who connects before the server accepts waits, and need not try again.
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=512)
        self._server = uvicorn.Server(uvicorn.Config(self._app, log_config=None, log_level="critical", lifespan="on"))
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        # A connection for each request: after an error the server may close one that was to be used again. The request
        # says so: a pool that keeps none closes one in a thread that another has just taken (httpcore, issue 1110).
        limits, headers = httpx.Limits(max_connections=None), {"Connection": "close"}
        url = "http://{}:{}".format(*self._listener.getsockname())
        self.client = httpx.Client(
            base_url=url, timeout=60, trust_env=False, verify=False, limits=limits, headers=headers
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "the server did not end"
        for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
            logging.getLogger(name).setLevel(logging.NOTSET)  # a fork of this process may be a server with a log

    def _run(self) -> None:
        try:
            # It exits where the app does not start, and then its clients have to be told.
            with contextlib.suppress(SystemExit):
                self._server.run(sockets=[self._listener])
        finally:
            self._listener.close()

    @property
    def metrics(self) -> dict[str, float]:
        """What `/metrics` says, without the `dbctl_pool_` of the names."""
        text = self.client.get("/metrics").text
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return {sample.name.removeprefix("dbctl_pool_"): sample.value for sample in samples}

    @contextlib.contextmanager
    def leaving(self, method: str, path: str) -> Iterator[None]:
        """Send a request, and hang up at the end of the block without having waited for the answer."""
        with socket.create_connection(self._listener.getsockname(), timeout=30) as connection:
            connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n".encode())
            yield
