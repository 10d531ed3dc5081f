"""What is read at a URL is bounded in time and in size, and no message has a secret of the URL."""

import base64
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from dbctl.errors import ConnectError, DbctlError, OutOfTime, UsageError
from dbctl.pool import scraping
from dbctl.pool.scraping import Address


class Service(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with suppress(OSError):
            if self.path == "/login":
                self.wfile.write(self.headers.get("Authorization", "").encode())
            while self.path == "/endless":
                self.wfile.write(b"x" * 65536)
            while self.path == "/dripping":
                self.wfile.write(b"x")
                time.sleep(0.05)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def host() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_answer_without_an_end_is_left(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraping, "_MOST", 1 << 20)
    with pytest.raises(ConnectError, match="longer than 1 MiB"):
        Address(f"http://{host}/endless").fetch()
    monkeypatch.setattr(scraping, "_TO_ANSWER", 0.5)
    with pytest.raises((OutOfTime, ConnectError), match=r"not whole after 0\.5 s"):
        Address(f"http://{host}/dripping").fetch()


def test_a_login_is_used_and_shown_to_nobody(host: str) -> None:
    address = Address(f"http://me:se%2Fcret@{host}/login")
    assert base64.b64decode(address.fetch().removeprefix("Basic ")) == b"me:se/cret"
    assert address.shown == f"http://{host}/login"


@pytest.mark.parametrize(
    "url", ["ftp://me:secret@host/x", "http://me:se/cret@host/x", "http://me:secret@host:x/", "http://", "http://h:0/"]
)
def test_what_is_no_url_of_http_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        Address(url)
    assert "cret" not in str(refused.value)


def test_a_service_that_is_not_there_is_named_without_its_secrets() -> None:
    with pytest.raises(DbctlError) as refused:
        Address("http://me:secret@127.0.0.1:1/metrics?token=secret&a=b").fetch()
    assert "secret" not in str(refused.value)
    assert "127.0.0.1:1/metrics?token=***&a=b" in str(refused.value)
