"""Statements of the engines whose profile echoes them, on a logger of their own beneath SQLAlchemy's.

So that of no other engine logs otherwise. Where a service has handlers for it, or for any logger above it, those have
them; elsewhere they are written to stderr, and not to stdout, to which SQLAlchemy's own `echo=True` writes.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Any

from dbctl.profiles.urls import MASK

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbctl.profiles import Profile

# CREATE USER … IDENTIFIED [WITH plugin] BY '…' or AS '…', and PostgreSQL's ROLE … PASSWORD '…'.
_WRITTEN_PASSWORD = re.compile(
    r"(\bIDENTIFIED\s+(?:WITH\s+\S+\s+)?(?:BY|AS)(?:\s+PASSWORD)?|\bPASSWORD)(\s*[(=]?\s*)E?(['\"])"
    r"(?:\\.|\3\3|(?!\3).)*(?:\3|$)",
    re.IGNORECASE | re.DOTALL,
)


def without_passwords(statement: str) -> str:
    """Return a statement without the passwords that stand in it."""
    return _WRITTEN_PASSWORD.sub(rf"\1\2\3{MASK}\3", statement)


class _Masked(logging.Filter):
    """Leaves the passwords out that stand in statements, whoever writes these."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_passwords(record.getMessage()), ()
        return True


class _ToStderr(logging.StreamHandler[Any]):
    """Writes what no other handler would."""

    def __init__(self, logger: logging.Logger) -> None:
        super().__init__()
        self._above = logger.parent

    def emit(self, record: logging.LogRecord) -> None:
        if not (self._above and self._above.hasHandlers()):
            self.setStream(sys.stderr)  # which may be another one by now
            super().emit(record)


def echo(engine: Engine, profile: Profile) -> None:
    """Have a new engine log its statements, and their parameters unless those are hidden.

    Args:
        engine: The engine.
        profile: Its profile, by whose name its logger is called.
    """
    name = profile.name.replace(".", "_")  # a point would make it the child of another profile's
    logger = logging.getLogger(f"sqlalchemy.engine.Engine.{name}")
    if not any(isinstance(one, _Masked) for one in logger.filters):
        logger.addFilter(_Masked())
    if not logger.handlers:  # before the engine has this logger, to which SQLAlchemy would add one for stdout
        logger.addHandler(_ToStderr(logger))
    engine.logging_name = name
    engine.echo = True
