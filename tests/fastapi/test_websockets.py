"""What dbctl's errors are on a websocket: it is closed with their words, by a code of its protocol."""

import logging

import pytest
from fastapi import FastAPI, WebSocket
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from dbctl.errors import ConfigError, ConnectError, DbctlError, NotFound
from dbctl.fastapi import install_error_handlers

ERRORS = [
    (NotFound("nobody ordered é" + "é" * 100), 1008, "nobody ordered é" + "é" * 53),  # 123 bytes
    (ConnectError("secret.example.com is away", "TCP"), 1013, "the database can't be reached"),
    (ConfigError("no profile secret"), 1011, "the service is not set up"),
]


@pytest.fixture
def app() -> FastAPI:
    """An app whose websockets fail as its state says."""
    app = FastAPI()
    install_error_handlers(app)

    @app.websocket("/before")
    async def before(websocket: WebSocket) -> None:
        raise app.state.error

    @app.websocket("/after")
    async def after(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text("open")
        raise app.state.error

    @app.websocket("/closed")
    async def closed(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.close(4000)
        raise app.state.error

    return app


@pytest.mark.parametrize(("error", "code", "reason"), ERRORS)
def test_an_open_one_is_closed(
    app: FastAPI, error: DbctlError, code: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    app.state.error = error
    with TestClient(app).websocket_connect("/after") as websocket:
        assert websocket.receive_text() == "open"
        with pytest.raises(WebSocketDisconnect) as told:
            websocket.receive_text()
    assert (told.value.code, told.value.reason) == (code, reason)
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [error.message in record.getMessage() for record in logged] == [True] * (code != 1008)


def test_one_that_was_not_accepted_is_refused(app: FastAPI) -> None:
    app.state.error, code, reason = ERRORS[1]
    with pytest.raises(WebSocketDisconnect) as told, TestClient(app).websocket_connect("/before"):
        pass
    assert (told.value.code, told.value.reason) == (code, reason)


def test_one_that_is_closed_already_stays_so(app: FastAPI) -> None:
    app.state.error = ERRORS[0][0]
    with TestClient(app).websocket_connect("/closed") as websocket, pytest.raises(WebSocketDisconnect) as told:
        websocket.receive_text()
    assert told.value.code == 4000
