"""`dbctl serve`."""

import gc
import logging
import os
import signal
import socket
from ipaddress import ip_address
from typing import Annotated

import typer

from dbctl.connections.drivers import Driver
from dbctl.errors import ConfigError, UsageError
from dbctl.profiles import Profile
from dbctl.runtime.distribution import how_to_install, missing_module
from dbctl.work.effects import owns_terminal
from dbctl.work.signals import hear_signals

PLACE = 5
PAGE = "sample"

_log = logging.getLogger(__name__)


@owns_terminal
def serve(
    profile: Profile,
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen. All but loopback needs --token-env.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port to listen on; 0 takes a free one.")] = 8000,
    token_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The environment variable with the token that requests have to bear."),
    ] = None,
    driver: Annotated[
        Driver, typer.Option(help="The driver to connect by: the sync one, or the async one.")
    ] = Driver.SYNC,
) -> None:
    """Serve the sample domain over HTTP, until Ctrl-C or SIGTERM.

    The tables are those that init-tables creates. What is being answered is answered before it ends.

    Examples:
        $ dbctl serve
        $ dbctl serve --port 8080 --driver async
        $ dbctl serve --host 0.0.0.0 --token-env API_TOKEN
    """
    hear_signals(signal.SIG_DFL)  # nothing is begun yet
    try:
        import uvicorn

        from dbctl.sample.api import create_app
    except ImportError as error:
        needed = missing_module(error, "fastapi", "uvicorn")
        raise ConfigError(f"{needed} is not installed", how_to_install("fastapi")) from error

    app = create_app(profile, asynchronous=driver is Driver.ASYNC, token=_token(token_env))
    _check(profile, driver)
    gc.set_threshold(2_000)  # the command line has it look for cycles rarely, for it ends soon; a service does not
    with _listener(host, port, guarded=token_env is not None) as listener:
        _log_requests()
        server = uvicorn.Server(uvicorn.Config(app, log_config=None))
        # The server ends in good order on either signal, and then raises it once more for whoever runs it.
        hear_signals(lambda *_: setattr(server, "should_exit", True))
        address, bound = listener.getsockname()[:2]
        place = f"[{address}]:{bound}" if ":" in address else f"{address}:{bound}"
        _log.info("%s is served on http://%s", profile.called, place)
        server.run(sockets=[listener])


def _token(variable: str | None) -> str | None:
    if variable is None:
        return None
    if not os.environ.get(variable):
        raise ConfigError(f"--token-env: the environment variable {variable} is not set", "set it to the token")
    return os.environ[variable]


def _check(profile: Profile, driver: Driver) -> None:
    """Build what the service will build, and ask what it will ask, to say now what is wrong with the profile."""
    from dbctl.backends import backend_of
    from dbctl.connections.engines import build_async_engine, build_engine

    build_async_engine(profile) if driver is Driver.ASYNC else build_engine(profile)
    _ = backend_of(profile).password


def _listener(host: str, port: int, *, guarded: bool) -> socket.socket:
    """Listen, on the very address that was looked at.

    Raises:
        UsageError: It can't be listened on, or others could come in unasked.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if not (guarded or ip_address(address[0]).is_loopback):
            raise UsageError(f"--host {host} is not loopback: others could come in", "name a token with --token-env")
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        raise UsageError(f"can't listen on {host}:{port}: {error.strerror or error}") from error


def _log_requests() -> None:
    """Let the server's log go where dbctl's goes: each request, and what is wrong."""
    ours, server = logging.getLogger("dbctl"), logging.getLogger("uvicorn")
    server.handlers = ours.handlers
    server.setLevel(ours.level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
