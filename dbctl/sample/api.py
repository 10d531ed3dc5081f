"""The sample service: heroes, teams and transfers over HTTP, by the functions that the commands call."""

import hmac
import inspect
import json
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlmodel.ext.asyncio.session import AsyncSession

from dbctl import __version__, sample
from dbctl.fastapi import (
    AsyncSessionDep,
    Problem,
    ProfileName,
    SessionDep,
    health_router,
    install_error_handlers,
    lifespan,
    problems,
)
from dbctl.sample.lookup import LARGEST_ID
from dbctl.sample.rows import HeroRow, TeamRow, TransferRow
from dbctl.sample.schemas import (
    HeroCreate,
    HeroPublic,
    HeroUpdate,
    TeamCreate,
    TeamPublic,
    TransferCreate,
    TransferPublic,
)
from dbctl.work.sessions import in_async

Handler = Callable[..., Any]
Form = Callable[[Handler], Handler]
"""What a handler, which is written on a session, is put through to fit the app."""

HeroId = Annotated[int, Path(ge=0, le=LARGEST_ID, examples=[1])]
Id = Annotated[int, Query(ge=0, le=LARGEST_ID)]
Limit = Annotated[int, Query(ge=1, le=1000, description="At most so many.")]
After = Annotated[int, Query(ge=0, le=LARGEST_ID, description="Only greater ids: a page's last one begins the next.")]

_NO_JSON: dict[int | str, dict[str, Any]] = {400: {"model": Problem, "description": "the body is not JSON in UTF-8"}}


def create_app(profile: ProfileName = None, *, asynchronous: bool = False, token: str | None = None) -> FastAPI:
    """Return the sample service on a profile, whose tables are there (`dbctl init-tables`).

    Args:
        profile: The profile, its name, or None for the one that `dbctl` itself would take.
        asynchronous: Whether it works by the async driver.
        token: What every request has to bear, where it is given.
    """
    app = FastAPI(
        title="Heroes",
        summary="dbctl's sample domain",
        version=__version__,
        lifespan=lifespan(profile, asynchronous=asynchronous),
        dependencies=[_bearer(token)] if token else [],
        responses={401: {"model": Problem, "description": "the bearer token is missing or wrong"}} if token else {},
    )
    install_error_handlers(app)
    app.add_exception_handler(RequestValidationError, _refuse_without_echo)
    form: Form = on_async_session if asynchronous else lambda handler: handler
    for router in (heroes_router(form), teams_router(form), transfers_router(form)):
        app.include_router(router, responses=problems(503))
    app.include_router(health_router(asynchronous=asynchronous))
    return app


# --- routes -----------------------------------------------------------------------------------------------------------


def heroes_router(form: Form) -> APIRouter:
    """Return the routes of `/heroes`."""
    router = APIRouter(prefix="/heroes", tags=["heroes"])

    @router.post("/", status_code=201, response_model=HeroPublic, responses=_NO_JSON | problems(404))
    @form
    def add_hero(session: SessionDep, hero: HeroCreate) -> HeroRow:
        """Add a hero."""
        return sample.add_hero(session, hero.name, hero.secret_name, hero.age, hero.team_id)

    @router.get("/", response_model=list[HeroPublic], responses=problems(404))
    @form
    def list_heroes(
        session: SessionDep, team_id: Id | None = None, limit: Limit = 100, after: After = 0
    ) -> Sequence[HeroRow]:
        """List heroes, by id: all, or those of a team."""
        return sample.list_heroes(session, team_id, limit, after)

    @router.get("/{hero_id}", response_model=HeroPublic, responses=problems(404))
    @form
    def read_hero(session: SessionDep, hero_id: HeroId) -> HeroRow:
        """Read a hero."""
        return sample.show_hero(session, hero_id)

    @router.patch("/{hero_id}", response_model=HeroPublic, responses=_NO_JSON | problems(404, 409))
    @form
    def change_hero(session: SessionDep, hero_id: HeroId, hero: HeroUpdate) -> HeroRow:
        """Change what is given of a hero; one that is in a team changes it by a transfer."""
        changes = hero.model_dump(exclude_unset=True)
        return sample.change_hero(session, hero_id, changes.pop("team_id", None), changes)

    @router.delete("/{hero_id}", response_model=HeroPublic, responses=problems(404))
    @form
    def remove_hero(session: SessionDep, hero_id: HeroId) -> HeroRow:
        """Remove a hero, and the log of the hero's transfers; return who it was."""
        return sample.remove_hero(session, hero_id)

    return router


def teams_router(form: Form) -> APIRouter:
    """Return the routes of `/teams`."""
    router = APIRouter(prefix="/teams", tags=["teams"])

    @router.post("/", status_code=201, response_model=TeamPublic, responses=_NO_JSON | problems(409))
    @form
    def add_team(session: SessionDep, team: TeamCreate) -> TeamRow:
        """Add a team."""
        return sample.add_team(session, team.name, team.headquarters)

    @router.get("/", response_model=list[TeamPublic])
    @form
    def list_teams(session: SessionDep) -> Sequence[TeamRow]:
        """List the teams, by id."""
        return sample.list_teams(session)

    return router


def transfers_router(form: Form) -> APIRouter:
    """Return the routes of `/transfers`."""
    router = APIRouter(prefix="/transfers", tags=["transfers"])

    @router.post("/", status_code=201, response_model=TransferPublic, responses=_NO_JSON | problems(404, 409))
    @form
    def transfer(session: SessionDep, move: TransferCreate) -> TransferRow:
        """Move a hero from one team to another; 409 where the hero is not in the team to leave."""
        return sample.transfer(session, move.hero_id, move.from_team_id, move.to_team_id)

    @router.get("/", response_model=list[TransferPublic], responses=problems(404))
    @form
    def list_transfers(
        session: SessionDep, hero_id: Id | None = None, limit: Limit = 100, after: After = 0
    ) -> Sequence[TransferRow]:
        """List the transfers that took place, in their order: all, or those of a hero."""
        return sample.list_transfers(session, hero_id, limit, after)

    return router


# --- what all routes share --------------------------------------------------------------------------------------------


def on_async_session(handler: Handler) -> Handler:
    """Return a handler on a session as one on an async session: its `session` is another, and it is awaited."""
    on_session = in_async(handler)

    @wraps(handler)
    async def awaited(session: AsyncSession, **arguments: Any) -> Any:
        return await on_session(session, **arguments)

    signature = inspect.signature(handler)
    first, *others = signature.parameters.values()
    awaited.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[first.replace(annotation=AsyncSessionDep), *others]
    )
    return awaited


def _bearer(token: str) -> Any:
    """Return the dependency that refuses a request without the token."""

    async def check(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> None:
        borne = given.credentials.encode("latin-1") if given else b""  # the bytes as they came: headers are Latin-1
        if not hmac.compare_digest(borne, token.encode()):
            raise HTTPException(401, "the bearer token is missing or wrong", {"WWW-Authenticate": "Bearer"})

    return Depends(check)


async def _refuse_without_echo(_request: Request, error: Any) -> Response:
    """Answer as FastAPI does, but without what was sent: a secret name may be in it, or what JSON can't express."""
    details = [{key: found[key] for key in ("type", "loc", "msg")} for found in error.errors()]
    return Response(json.dumps({"detail": details}), 422, media_type="application/json")
