"""An error becomes the answer that says the same to a client, and no more."""

import contextlib
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from sqlalchemy import text
from sqlmodel import Session

from dbctl import errors
from dbctl.fastapi import SessionDep, install_error_handlers, lifespan
from dbctl.profiles import Profile
from dbctl.sample.api import on_async_session
from tests.fastapi.conftest import ON_SERVERS
from tests.fastapi.serving import Served
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of

RAISED: dict[str, tuple[errors.DbctlError, int, str]] = {
    "connect": (errors.ConnectError("profile x: TCP failed: 10.0.0.7"), 503, "the database can't be reached"),
    "time": (errors.OutOfTime("profile x: statement"), 503, "the database is busy"),
    "not-found": (errors.NotFound("no hero 7", "dbctl heroes list shows all"), 404, "no hero 7"),
    "ambiguous": (errors.Ambiguous("two heroes"), 409, "two heroes"),
    "duplicate": (errors.Duplicate("that name is taken"), 409, "that name is taken"),
    "reference": (errors.BrokenReference("the team is not empty"), 409, "the team is not empty"),
    "refused": (errors.WorkRefused("he is not in the team"), 409, "he is not in the team"),
    "unknown": (errors.OutcomeUnknown("profile x: lost"), 500, "the connection was lost during the commit"),
    "config": (errors.ConfigError("profiles.toml: password"), 500, "the service is not set up"),
    "other": (errors.DbctlError("anything else"), 500, "the service is not set up"),
}


@pytest.fixture(scope="module")
def raising() -> Iterator[Served]:
    """An app that raises each of the errors."""
    app = FastAPI()
    install_error_handlers(app)

    @app.get("/{name}")
    def fail(name: str) -> None:
        raise errors.Conflict("age") if name == "conflict" else RAISED[name][0]

    @app.exception_handler(errors.Ambiguous)
    async def own(_request: Request, _error: Exception) -> JSONResponse:
        return JSONResponse({"detail": "which of them?"}, 300)

    with Served(app) as served:
        yield served


@pytest.mark.parametrize("name", [name for name in RAISED if name != "ambiguous"])
def test_an_error_has_the_status_of_its_kind(raising: Served, name: str) -> None:
    _, status, detail = RAISED[name]
    answer = raising.client.get(f"/{name}")
    assert answer.status_code == status
    assert answer.json()["detail"].startswith(detail)
    assert ("Retry-After" in answer.headers) is (status == 503)


def test_a_value_that_is_refused_looks_as_fastapis_own_refusals_do(raising: Served) -> None:
    answer = raising.client.get("/conflict")
    assert answer.status_code == 422
    assert answer.json() == {"detail": [{"type": "conflict", "loc": ["body"], "msg": "age"}]}


def test_a_handler_of_the_apps_own_goes_before(raising: Served) -> None:
    assert raising.client.get("/ambiguous").status_code == 300


STATEMENTS = [
    ("INSERT INTO team (name) VALUES ('Preventers')", 409, "there is one like it already"),
    ("INSERT INTO hero (name, secret_name, team_id) VALUES ('A', 'B', 7)", 409, "it refers to what is not there"),
    ("DELETE FROM team", 409, "it refers to what is not there, or is itself referred to"),
    ("INSERT INTO team (name) VALUES (NULL)", 422, "a value is missing, too long or out of range"),
    ("UPDATE hero SET age = -1", 422, "a value is missing, too long or out of range"),
    ("SELECT * FROM nowhere", 500, "the service is not set up: a table is missing"),
    ("SELECT nothing FROM team", 500, "the database refused the work"),
    ("SELEKT 1", 500, "the database refused the work"),
]


def test_what_the_database_says_stays_inside(sample: TestDatabase, profile: Profile, asynchronous: bool) -> None:
    sample.execute("INSERT INTO hero (name, secret_name, team_id) VALUES ('Deadpond', 'Dive Wilson', 1)")
    with Served(running(profile, asynchronous)) as served:
        for number, (_, status, detail) in enumerate(STATEMENTS):
            answer = served.client.post(f"/{number}")
            said = answer.json()["detail"]
            said = said if isinstance(said, str) else said[0]["msg"]
            assert answer.status_code == status, STATEMENTS[number]
            assert said.startswith(detail)
            assert said in {"it refers to what is not there, or is itself referred to", detail}


CARD = "4111-1111"
BROKEN = [
    (f"INSERT INTO orderz (item) VALUEZ ('{CARD}')", 500, "the database refused the work"),
    (f"SELECT * FROM nosuch WHERE card = '{CARD}'", 500, "the service is not set up: a table is missing"),
]


@pytest.mark.parametrize("passed_over", [False, True], ids=["raised", "passed over"])
@pytest.mark.parametrize("way", ["session", "cursor"])
@pytest.mark.parametrize(("statement", "status", "detail"), BROKEN, ids=["syntax", "table"])
def test_no_way_to_run_a_statement_shows_it(
    profile: Profile, asynchronous: bool, way: str, statement: str, status: int, detail: str, passed_over: bool
) -> None:
    """Only PostgreSQL remembers an error that was passed over; where one is remembered it shows no more later."""

    def fail(session: Session) -> None:
        with contextlib.suppress(Exception) if passed_over else contextlib.nullcontext():
            if way == "session":
                session.execute(text(statement))
            else:
                session.connection().connection.cursor().execute(statement)

    app = FastAPI(lifespan=lifespan(profile, asynchronous=asynchronous))
    install_error_handlers(app)

    def run(session: SessionDep) -> None:
        fail(session)

    app.add_api_route("/", on_async_session(run) if asynchronous else run, methods=["POST"])
    with Served(app) as served:
        answer = served.client.post("/")
    assert CARD not in answer.text
    if passed_over and way == "cursor":
        detail = "the database refused the work"  # what it was SQLAlchemy has not seen
    if not passed_over or answer.status_code != 200:
        assert (answer.status_code, answer.json()) == (status, {"detail": detail})


@ON_SERVERS
def test_a_statement_that_takes_too_long_is_told_to_try_again(sample: TestDatabase, asynchronous: bool) -> None:
    assert sample.server
    sleep = {"postgresql": "SELECT pg_sleep(30)", "mysql": "SELECT sleep(30)"}[sample.dialect]
    with Served(running(profile_of(sample, {"statement_timeout": 0.1}), asynchronous, sleep)) as served:
        answer = served.client.post("/0")
    assert answer.status_code == 503
    assert "Retry-After" in answer.headers


def running(profile: Profile, asynchronous: bool, statement: str | None = None) -> FastAPI:
    """Return an app that runs a statement, or one of those above by its number."""
    app = FastAPI(lifespan=lifespan(profile, asynchronous=asynchronous))
    install_error_handlers(app)

    def run(session: SessionDep, number: int) -> None:
        session.execute(text(statement or STATEMENTS[number][0]))

    app.add_api_route("/{number}", on_async_session(run) if asynchronous else run, methods=["POST"])
    return app
