"""The way to a server as Python's own sockets see it, for the drivers do not tell the steps of connecting apart."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from dbctl.runtime.waits import result_of, started

_KNOCK = 0.7
"""Seconds for which a server that gave no answer is asked once more, only to name the step at which it is silent."""


def failed_step(error: BaseException) -> str:
    """Name the step of connecting at which a driver failed, as far as Python's own errors tell.

    Returns:
        "name resolution", "TCP" or "TLS"; "silence" where there was no answer in time; else "connection".
    """
    import ssl

    cause = _cause(error)
    if isinstance(cause, socket.gaierror):
        return "name resolution"
    if isinstance(cause, ssl.SSLError):
        return "TLS"
    if isinstance(cause, TimeoutError) and cause.errno is None:  # not the kernel's own, which is TCP's
        return "silence"
    return "TCP" if isinstance(cause, OSError) else "connection"


def reason_of(error: BaseException, addresses: Sequence[tuple[str, int]], place: str) -> str:
    """Say where and why a host was not found, or not reached, by what Python's own sockets raised.

    Args:
        error: What a driver raised.
        addresses: The hosts and ports that it tried.
        place: What to call a server that is at none.

    Returns:
        "" where the error tells nothing of the kind, or the driver says it in words of its own.
    """
    import ssl

    cause = _cause(error) if getattr(error, "original_exception", None) else error
    if not isinstance(cause, OSError) or isinstance(cause, ssl.SSLError):
        return ""
    if isinstance(cause, socket.gaierror):
        return f"{', '.join(host for host, _ in addresses)}: {cause.strerror}"
    # Of several addresses asyncio raises one error, with all their numbers in its words.
    numbers = {cause.errno} if cause.errno else {int(number) for number in re.findall(r"\[Errno (\d+)\]", str(cause))}
    if len(numbers) != 1:
        return ""
    tried = ", ".join(f"{host}:{port}" for host, port in addresses)
    return f"{tried or place}: {os.strerror(numbers.pop())}"


def may_heal(error: BaseException, step: str) -> bool:
    """Tell whether a failed step may succeed by itself later, as far as Python's own errors tell."""
    import ssl

    cause = _cause(error)
    if isinstance(cause, ssl.SSLError):  # a certificate, or a server that goes down meanwhile
        return isinstance(cause, ssl.SSLEOFError)
    return isinstance(cause, OSError | EOFError) or step in {"name resolution", "TCP"}


def _cause(error: BaseException) -> BaseException:
    if isinstance(error, TimeoutError):
        return error  # asyncio's is caused by a cancellation, which tells nothing
    original: BaseException | None = getattr(error, "original_exception", None)
    return original or error.__cause__ or error.__context__ or error


def time_steps(addresses: Sequence[tuple[str, int]], seconds: float) -> tuple[float, float]:
    """Resolve a name and connect, with a socket that is closed again at once; of several hosts the first that answers.

    Args:
        addresses: The hosts and ports to try, one or more.
        seconds: How long it may take in all.

    Returns:
        How long name resolution took, and how long TCP, in seconds.

    Raises:
        OSError: There was no answer in time, or none of the hosts can be reached.
    """

    def steps() -> tuple[float, float]:
        for host, port in addresses[:-1]:
            with suppress(OSError):
                return _steps(host, port)
        return _steps(*addresses[-1])

    return result_of(started(steps), seconds)


def _steps(host: str, port: int) -> tuple[float, float]:
    start = time.perf_counter()
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    resolved = time.perf_counter()
    for number, (family, kind, protocol, _, address) in enumerate(found, 1):
        began = time.perf_counter()
        with socket.socket(family, kind, protocol) as sock:
            try:
                sock.connect(address)
            except OSError:
                if number < len(found):
                    continue
                raise
            return resolved - start, time.perf_counter() - began
    raise OSError(f"{host} has no address")


def silent_step(addresses: Sequence[tuple[str, int]], first_silence: Callable[[socket.socket], str]) -> str:
    """Name the step at which a server gives no answer. Drivers do not tell, so it is asked once more, briefly.

    Args:
        addresses: The hosts and ports to try.
        first_silence: What names the step for a server that accepts connections.
    """
    reached = ["name resolution"]

    def knock() -> None:
        for host, port in addresses:
            socket.getaddrinfo(host, port)
            reached.append("TCP")
            with suppress(OSError), socket.create_connection((host, port), _KNOCK / 2) as sock:
                reached.append(first_silence(sock))
                return

    with suppress(OSError):  # TimeoutError and socket.gaierror are OSErrors too
        result_of(started(knock), _KNOCK)
    return reached[-1] if addresses else "login"
