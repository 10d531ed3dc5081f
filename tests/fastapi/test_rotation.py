"""A service runs on while its password is rotated."""

from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import text

from dbctl.fastapi import AsyncSessionDep, SessionDep, health_router, install_error_handlers, lifespan
from tests.fastapi.serving import Served
from tests.harness.role import Role, role

__all__ = ["role"]


@pytest.mark.parametrize("server_database", ["postgresql", "mariadb"], indirect=True)
def test_the_requests_and_the_health_agree_on_a_password_that_is_rotated(role: Role, asynchronous: bool) -> None:
    app = FastAPI(lifespan=lifespan(role.by_file(), asynchronous=asynchronous))
    app.include_router(health_router(asynchronous=asynchronous))
    install_error_handlers(app)

    async def one(session: AsyncSessionDep) -> Any:
        return (await session.exec(text("SELECT 1"))).scalar()  # type: ignore[call-overload]

    def one_in_thread(session: SessionDep) -> Any:
        return session.exec(text("SELECT 1")).scalar()  # type: ignore[call-overload]

    app.get("/one")(one if asynchronous else one_in_thread)
    with Served(app) as service:

        def statuses() -> list[int]:
            return [service.client.get(path).status_code for path in ("/one", "/one", "/readyz")]

        assert statuses() == [200, 200, 200]
        role.rotate("second")
        role.end_sessions()
        assert statuses() == [200, 200, 200]
        role.file.unlink()
        assert service.client.get("/readyz").json()["failed_stage"] == "configuration"
