"""`dbctl activity`."""

import logging
from collections.abc import Iterable
from typing import Annotated

import typer

from dbctl.activity.looking import Session, Wanted, watched_activity
from dbctl.activity.looking import activity as look
from dbctl.errors import UsageError
from dbctl.profiles import Profile

PANEL = "Sessions"
PLACE = 25
PAGE = "activity"

_BETWEEN = 2.0
"""Seconds between two looks, unless said."""

_log = logging.getLogger(__name__)


def activity(
    profile: Profile,
    every: Annotated[
        bool, typer.Option("--all", help="Also what is idle, and what is in other databases or the server's own.")
    ] = False,
    blocked: Annotated[
        bool, typer.Option("--blocked", help="Only what waits for others' locks, and whom it waits for.")
    ] = False,
    min_duration: Annotated[
        float,
        typer.Option("--min-duration", min=0, metavar="SECONDS", help="Only what has been at it for so long."),
    ] = 0.0,
    watch: Annotated[bool, typer.Option("--watch", help="Look again and again, until q or Ctrl-C.")] = False,
    interval: Annotated[
        float | None, typer.Option("--interval", min=0.1, metavar="SECONDS", help="How often, with --watch; 2.")
    ] = None,
) -> Iterable[Session]:
    """Show who does what for how long, and who keeps whom waiting: whoever holds a lock stands above who waits for it.

    What the user may not see is said. On a terminal a statement is cut to a line; JSON has it whole.

    Examples:
        $ dbctl activity
        $ dbctl -p prod activity --blocked
        $ dbctl -p prod activity --watch --min-duration 5
    """
    wanted = Wanted(every, min_duration, blocked)
    if watch:
        return watched_activity(profile, wanted, _BETWEEN if interval is None else interval)
    if interval is not None:
        raise UsageError("--interval is about --watch", "say both")
    frame = look(profile, wanted)
    for note in frame.notes:
        _log.info("%s", note)
    return frame.rows
