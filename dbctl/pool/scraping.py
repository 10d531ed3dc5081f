"""Fetching what a service shows at a URL: so much of it at most, and in so much time for all of it."""

from __future__ import annotations

import base64
import re
import time
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from dbctl.errors import ConnectError, OutOfTime, UsageError
from dbctl.profiles.urls import is_secret
from dbctl.runtime.waits import is_done, started

_TO_ANSWER = 10.0
"""Seconds that a service has for the whole of its answer."""

_MOST = 16 << 20
"""Bytes of an answer that are read: pools with all the labels that are told apart take a hundredth of it."""

_STEP = 0.1
"""Seconds after which a wait looks whether all is to end."""


class Address:
    """Where a service shows its figures.

    Args:
        url: The URL, with the user and the password where the service asks for them, by HTTP's basic authentication.

    Attributes:
        shown: The URL as messages have it, without what is secret.

    Raises:
        UsageError: It is none of HTTP's.
    """

    def __init__(self, url: str) -> None:
        # All up to the last @ may be the password's, where that has a / in it.
        self.shown = re.sub(r"//.*@", "//", url)
        self.shown = re.sub(r"([?&])([^=&#]+)=[^&#]*", _without_secret, self.shown)
        if not re.match(r"https?://", url, re.IGNORECASE):
            raise UsageError(f"{self.shown}: it is read by HTTP alone", "it takes http://…, https://…, or a file")
        try:
            parts = urlsplit(url)
            valid = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            valid = False
        if not valid:
            hint = "write it as http://HOST:PORT/metrics, and what is special in a password as %XX"
            raise UsageError(f"{self.shown}: it is no URL", hint)
        login, _, place = parts.netloc.rpartition("@")
        self._url = urlunsplit(parts._replace(netloc=place, fragment=""))
        self._headers: dict[str, str] = {}
        if login:
            user, _, password = login.partition(":")
            said = f"{unquote(user)}:{unquote(password)}".encode()
            self._headers["Authorization"] = f"Basic {base64.b64encode(said).decode()}"

    def fetch(self) -> str:
        """Return what is there.

        Raises:
            ConnectError: It can't be read, or there is too much of it.
            OutOfTime: It takes too long.
        """
        import http.client

        from dbctl.connections.watching import raise_if_ended

        end = time.monotonic() + _TO_ANSWER
        answer = started(lambda: self._body(end))
        while not is_done(answer, _STEP):
            raise_if_ended()
            if time.monotonic() > end:  # what comes byte by byte is in time for each of them
                raise OutOfTime(f"{self.shown}: the answer was not whole after {_TO_ANSWER:g} s")
        try:
            body = answer.result()
        except (OSError, http.client.HTTPException, ValueError) as error:  # urllib's own are OSErrors
            reason = getattr(error, "reason", None) or error
            hint = "name where the service's /metrics is"
            raise ConnectError(f"{self.shown}: can't be read: {reason}", "HTTP", hint) from error
        if len(body) > _MOST:
            raise ConnectError(f"{self.shown}: the answer is longer than {_MOST >> 20} MiB", "HTTP", "is it /metrics?")
        return body.decode("utf-8", "replace")

    def _body(self, end: float) -> bytes:
        """Read until what is read is too much, or too late for anybody to want it."""
        import urllib.request

        request = urllib.request.Request(self._url)
        for name, value in self._headers.items():
            request.add_unredirected_header(name, value)  # it is for this service, and none that it leads to
        body = bytearray()
        with urllib.request.urlopen(request, timeout=_TO_ANSWER) as answer:
            while len(body) <= _MOST and time.monotonic() < end and (part := answer.read1(1 << 16)):
                body += part
        if time.monotonic() >= end:
            raise TimeoutError(f"the answer was not whole after {_TO_ANSWER:g} s")
        return bytes(body)


def _without_secret(option: Any) -> str:
    return f"{option[1]}{option[2]}=***" if is_secret(unquote(option[2])) else str(option[0])
