"""A console from its beginning to its end: its names, what it runs or asks for, and what became of that."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dbctl.console import prompt
from dbctl.console.names import models_by_name, own_names
from dbctl.console.scripts import run_script
from dbctl.console.sessions import Desk, opened_on
from dbctl.errors import UsageError
from dbctl.records import record
from dbctl.runtime.importing import put_on_path
from dbctl.runtime.standard_input import is_terminal, standard_input

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.connections.connector import Connector

_STDIN = "-"

_log = logging.getLogger("dbctl")


@record
class Settings:
    """What a console is told.

    Args:
        code: What it runs, in place of asking; `-` is what comes on standard input.
        read_only: Whether the database is to refuse to write.
        by_loop: Whether its session is for asyncio.
        models: The modules that define the models; the profile's own unless given.
        app_dir: Where they are imported from.
        idle_timeout: Seconds after which an idle transaction is rolled back, or None.
    """

    code: str | None = None
    read_only: bool = False
    by_loop: bool = False
    models: Sequence[str] | None = None
    app_dir: str | None = None
    idle_timeout: float | None = None


def run_console(connector: Connector[Engine], settings: Settings) -> None:
    """Run what there is to run, or ask for it until there is no more; what is not committed is rolled back.

    Raises:
        Exited: It has ended with another exit code than 0.
        DbctlError: The database refused what a script asked for.
        ConfigError: The directory of the models is not there, or the extra `async` is missing and needed.
        UsageError: There is neither a terminal to ask on nor a script.
    """
    script = _script(settings.code)
    put_on_path(settings.app_dir or connector.profile.app_dir or ".")
    with opened_on(connector, read_only=settings.read_only, by_loop=settings.by_loop) as desk:
        own = own_names(desk)
        models = models_by_name(connector.profile, settings.models, settings.app_dir, own)
        names = {"__name__": "__console__", "__doc__": None, "__builtins__": __builtins__, **own, **models}
        if script is not None:
            run_script(*script, names, desk)
            return
        _greet(desk, own, models)
        _prompt()(names, desk, idle_timeout=settings.idle_timeout)


def _script(code: str | None) -> tuple[str, str] | None:
    """Return what is to be run and its name; None where it is to be asked for.

    Raises:
        UsageError: It is to be read from standard input, and there is none, or it is no text.
    """
    if code is not None and code != _STDIN:
        return code, "<code>"
    if code is None and is_terminal():
        return None
    try:
        return standard_input().read().decode("utf-8-sig"), "<stdin>"  # as Python reads a file, whatever the locale
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is no script: {error.reason} at byte {error.start}") from error


def _greet(desk: Desk, own: dict[str, Any], models: dict[str, type]) -> None:
    if desk.read_only:
        protected = ", which is protected" if desk.profile.protected else ""
        _log.info("read-only: the database refuses to write to %s%s", desk.profile.called, protected)
    _log.info("%s; models: %s", ", ".join(own), ", ".join(sorted(models)) or "none")
    if not desk.read_only:
        _log.info("what commit() does not keep is rolled back at the end")


def _prompt() -> Any:
    """Return what asks: IPython where that is installed, else Python's own."""
    try:
        from dbctl.console import ipython
    except ImportError:
        return prompt.ask
    return ipython.ask
