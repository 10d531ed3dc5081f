"""How a command ends that did not end well: what is said, and its exit code."""

from __future__ import annotations

import logging
import sys

from dbctl.cli import report
from dbctl.cli.exits import ExitCode, exit_code
from dbctl.cli.options import Terms
from dbctl.cli.outcome import current
from dbctl.errors import DbctlError, LockHeld, ResultLost
from dbctl.runtime.foreign_errors import stand_in

_log = logging.getLogger(__name__)


def ended_by(error: Exception, terms: Terms, *, committed: bool) -> int:
    """Say what ended the work, and return its exit code.

    Args:
        error: What it was.
        terms: The terms on which it was run.
        committed: Whether all of it was committed, and only its result can be lost.
    """
    return _failed(error, terms, committed=committed) if isinstance(error, DbctlError) else _unforeseen(error)


def _unforeseen(error: Exception) -> int:
    """Say what no part of dbctl has foreseen: what the operating system or SQLAlchemy refuses, or a bug."""
    refused: DbctlError | None = report.refused_by_system(error)
    if refused is None and "sqlalchemy" in sys.modules:
        from dbctl.backends.errors import refused_by_sqlalchemy

        refused = refused_by_sqlalchemy(error)
    if refused is None:
        report.say_bug(error)
        return ExitCode.BUG
    refused.__cause__ = stand_in(error)
    report.say_error(refused)
    return exit_code(refused)


def _failed(error: DbctlError, terms: Terms, *, committed: bool) -> int:
    """Say what went wrong, and return the exit code for it; after the work is committed only its result can be lost."""
    if isinstance(error, LockHeld) and terms.skip_locked:
        current().skipped = True
        _log.info("skipped: %s", error.message)
        return ExitCode.DONE
    if committed:
        lost = ResultLost(error.message, "the work is done: do not run it again")
        lost.__cause__ = error.__cause__
        error = lost
    if error.message:
        report.say_error(error)
    return exit_code(error)
