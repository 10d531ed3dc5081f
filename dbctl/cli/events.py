"""What programs are told on stderr: an object a line, whose names are stable and stand in the manual."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dbctl import errors
from dbctl.cli.outcome import Outcome


def line(event: str, outcome: Outcome, facts: Mapping[str, Any]) -> str:
    """Return an event as a line: when, what, of which command on which profile, and its facts.

    All but ASCII is escaped, so that it is one line, and harmless, wherever it is read.

    Args:
        event: The event's name.
        outcome: What is known of the command.
        facts: What else there is to say, by stable names.
    """
    import json
    from datetime import UTC, datetime

    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    known = {"time": now, "event": event, "command": outcome.command or None, "profile": outcome.profile or None}
    return json.dumps({**known, **facts}, default=str)


def kind_of(error: errors.DbctlError) -> str:
    """Return an error's name in the tree of `dbctl.errors`; that of its nearest ancestor where it is not in it."""
    return next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
