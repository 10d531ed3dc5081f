"""What a FastAPI service answers where the database, or a function on it, says no."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Response, WebSocket
from fastapi.requests import HTTPConnection
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import SQLAlchemyError
from starlette.status import WS_1008_POLICY_VIOLATION, WS_1011_INTERNAL_ERROR, WS_1013_TRY_AGAIN_LATER
from starlette.websockets import WebSocketState

from dbctl import errors
from dbctl.backends.origins import origin_of

RETRY_AFTER = {"Retry-After": "5"}
_LONGEST_REASON = 123
"""Bytes."""

_log = logging.getLogger("dbctl.fastapi")


class Problem(BaseModel):
    """What went wrong, in words that are meant for the client."""

    detail: str


_ANSWERS: Mapping[type[errors.DbctlError], tuple[int, str]] = {
    errors.ConnectError: (503, "the database can't be reached"),
    errors.OutOfTime: (503, "the database is busy"),
    errors.Contention: (503, "others changed the same at the same time: try again"),
    errors.NotFound: (404, "what was asked for is not there"),
    errors.Ambiguous: (409, "the name stands for more than one row"),
    errors.Duplicate: (409, "there is one like it already"),
    errors.BrokenReference: (409, "it refers to what is not there, or is itself referred to"),
    errors.Conflict: (422, "a value is missing, too long or out of range"),
    errors.MissingTable: (500, "the service is not set up: a table is missing"),
    errors.WorkRefused: (409, "the database refused the work"),
    errors.OutcomeUnknown: (500, "the connection was lost during the commit: the work may be done or not; look first"),
    errors.DbctlError: (500, "the service is not set up"),
}


def install_error_handlers(app: FastAPI) -> None:
    """Answer dbctl's errors with the right status, and with no SQL, driver's text or traceback in the body.

    No connection, out of time and contention are 503 with Retry-After; not found is 404; a duplicate, a broken
    reference and what the service's functions refuse are 409; a value that the database does not take is 422, in the
    form of FastAPI's own; all else is 500, and logged. What the service's functions raise themselves, such as NotFound,
    is told in their words. A handler of the app's own for a subclass of DbctlError goes before this one. A websocket is
    closed with these words and 1013 (try again later) for 503, 1011 for 500, and 1008 for what is the client's.
    """
    app.add_exception_handler(errors.DbctlError, _answer)  # type: ignore[arg-type]  # one for both, as Starlette calls it


async def _answer(connection: HTTPConnection, error: Exception) -> Response | None:
    status, detail = _said(error)
    if status >= 500:
        what = connection.scope.get("method", "WEBSOCKET")
        _log.error("%s %s: %s", what, connection.url.path, error, exc_info=error if status == 500 else None)
    if isinstance(connection, WebSocket):
        await _close(connection, status, detail)
        return None
    as_invalid = [{"type": "conflict", "loc": ["body"], "msg": detail}]
    return JSONResponse(
        {"detail": as_invalid if status == 422 else detail}, status, RETRY_AFTER if status == 503 else None
    )


def _said(error: Exception) -> tuple[int, str]:
    """Return an error's status, and what a client is told of it."""
    kind = next(ancestor for ancestor in type(error).__mro__ if ancestor in _ANSWERS)
    status, detail = _ANSWERS[kind]
    from_database = _is_the_databases(error.__cause__)
    if isinstance(error, errors.WorkRefused) and not from_database:
        detail = error.message
    elif kind is errors.WorkRefused:
        status = 500  # none of the refusals that a client can bring about: more likely the statement itself is wrong
    return status, detail


async def _close(websocket: WebSocket, status: int, detail: str) -> None:
    """Close a websocket that is still open; one that was not accepted yet is refused by that.

    https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1, and 5.5 for the length of the reason
    """
    if WebSocketState.DISCONNECTED in {websocket.client_state, websocket.application_state}:
        return
    code = {500: WS_1011_INTERNAL_ERROR, 503: WS_1013_TRY_AGAIN_LATER}.get(status, WS_1008_POLICY_VIOLATION)
    await websocket.close(code, detail.encode()[:_LONGEST_REASON].decode(errors="ignore"))


def _is_the_databases(cause: BaseException | None) -> bool:
    """Tell whether an error is SQLAlchemy's, or a driver's own that came past it: its text may hold SQL and values."""
    return isinstance(cause, SQLAlchemyError) or (cause is not None and origin_of(cause) is not None)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the responses of these statuses for OpenAPI: `@app.get(…, responses=problems(404, 503))`."""
    return {
        status: {
            "model": Problem,
            "description": "; or ".join(text for code, text in _ANSWERS.values() if code == status),
        }
        for status in statuses
    }
