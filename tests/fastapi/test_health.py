"""Whoever runs the service can ask whether it lives, whether its database answers, and what its pool is doing."""

import math
import shutil
import threading
import time
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, Depends, FastAPI
from prometheus_client.parser import text_string_to_metric_families

import dbctl
from dbctl.fastapi import AsyncSessionDep, SessionDep, health_router, lifespan, named_route
from dbctl.profiles import Profile
from dbctl.profiles.layers import Layer, build
from tests.fastapi.conftest import ON_SERVERS
from tests.fastapi.serving import Served
from tests.harness.database import TestDatabase
from tests.harness.profile import profile_of
from tests.servers.system import free_port


def served(profile: Profile, asynchronous: bool = False) -> Served:
    """Serve nothing but the health of a profile."""
    app = FastAPI(lifespan=lifespan(profile, asynchronous=asynchronous))
    app.include_router(health_router(asynchronous=asynchronous))
    return Served(app)


# --- /livez and /readyz -----------------------------------------------------------------------------------------------


def test_a_database_that_answers_is_ready(service: Served) -> None:
    answer = service.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "failed_stage": None})


@pytest.mark.parametrize(
    ("changes", "stage"),
    [({"port": free_port()}, "TCP"), ({"password": "wrong"}, "login"), ({"database": "nowhere"}, "database")],
    ids=["TCP", "login", "database"],
)
@ON_SERVERS
def test_the_step_that_failed_is_named(
    sample: TestDatabase, asynchronous: bool, changes: dict[str, Any], stage: str
) -> None:
    assert sample.server
    with served(profile_of(sample, changes), asynchronous) as service:
        answer = service.client.get("/readyz")
        assert (answer.status_code, answer.json()) == (503, {"ready": False, "failed_stage": stage})
        assert int(answer.headers["Retry-After"]) > 0
        assert service.client.get("/livez").status_code == 200


def test_a_file_that_is_not_there_is_not_ready_and_is_not_created(tmp_path: Path, asynchronous: bool) -> None:
    path = tmp_path / "nowhere.db"
    with served(build("x", [Layer({"driver": "sqlite", "database": str(path)}, "the test")]), asynchronous) as service:
        assert service.client.get("/readyz").json() == {"ready": False, "failed_stage": "database"}
    assert not path.exists()


@ON_SERVERS
def test_a_database_that_is_frozen_is_told_in_time(sample: TestDatabase, asynchronous: bool) -> None:
    assert sample.server
    with served(profile_of(sample), asynchronous) as service:
        assert service.client.get("/readyz").status_code == 200
        with sample.server.frozen():
            start = time.monotonic()
            assert service.client.get("/readyz").status_code == 503
            assert time.monotonic() - start < 4
            assert service.client.get("/livez").json() == {"alive": True}
        assert service.client.get("/readyz").status_code == 200


def test_a_pool_in_full_use_is_ready_and_its_metrics_say_so(sample: TestDatabase) -> None:
    at_work, go_on = threading.Semaphore(0), threading.Event()
    app = FastAPI(lifespan=lifespan(profile_of(sample, {"pool.size": 1, "pool.max_overflow": 1})))
    app.include_router(health_router())

    @app.get("/")
    def hold(session: SessionDep) -> None:
        session.connection()
        at_work.release()
        go_on.wait(30)

    with Served(app) as service, ThreadPoolExecutor(2) as clients:
        holding = [clients.submit(service.client.get, "/") for _ in range(2)]
        assert all(at_work.acquire(timeout=30) for _ in holding)
        assert service.client.get("/readyz").status_code == 200
        in_use = service.metrics
        go_on.set()
        assert [each.result().status_code for each in holding] == [200, 200]
        after = service.metrics
    gauges = ("size", "capacity", "checked_out", "idle", "overflow")
    assert [in_use[name] for name in gauges] == [1, 2, 2, 0, 1]
    assert [after[name] for name in gauges] == [1, 2, 0, 1, 0]
    counters = ("checkouts_total", "connects_total", "closes_total", "invalidations_total", "timeouts_total")
    assert [in_use[name] for name in counters] == [2, 2, 0, 0, 0]
    assert [after[name] for name in counters] == [2, 2, 1, 0, 0]


# --- /metrics ---------------------------------------------------------------------------------------------------------


def test_what_the_pool_does_is_counted(service: Served, sample: TestDatabase) -> None:
    assert [service.client.get("/teams/").status_code for _ in range(3)] == [200, 200, 200]
    counted = service.metrics
    assert (counted["checkouts_total"], counted["connects_total"], counted["idle"]) == (3, 1, 1)
    if sample.server:
        sample.server.restart("immediate")
        assert service.client.get("/teams/").status_code == 200
        counted = service.metrics
        assert counted["connects_total"] == 2
        assert counted["invalidations_total"] > 0


def test_the_text_is_what_prometheus_reads(tmp_path: Path) -> None:
    name = 'a "name"\\ with\na line'
    values = {"driver": "sqlite", "database": str(tmp_path / "x.db"), "pool.size": 0}
    with served(build(name, [Layer(values, "the test")])) as service:
        answer = service.client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {family.type for name, family in families.items() if name.endswith(("size", "idle"))} == {"gauge"}
    assert families["dbctl_pool_checkouts"].type == "counter"
    for family in families.values():
        assert family.documentation
        assert [sample.labels for sample in family.samples] == [{"profile": name}]
    assert families["dbctl_pool_capacity"].samples[0].value == math.inf


def test_a_database_in_memory_has_one_connection(asynchronous: bool) -> None:
    with served(build("memory", [Layer({"driver": "sqlite"}, "the test")]), asynchronous) as service:
        counted = service.metrics
    assert counted["capacity"] == 1
    assert "checked_out" not in counted


# --- whose connections they are ---------------------------------------------------------------------------------------


def test_each_connection_is_its_route_s(sample: TestDatabase, asynchronous: bool) -> None:
    profile = profile_of(sample)
    app = FastAPI(lifespan=lifespan(profile, asynchronous=asynchronous), dependencies=[Depends(named_route)])
    app.include_router(health_router(asynchronous=asynchronous))
    items = APIRouter(prefix="/items")
    held: list[dict[str, Any]] = []
    names: list[str] = []

    def note() -> None:
        engine = dbctl.async_engine(profile) if asynchronous else dbctl.engine(profile)
        values = dbctl.pool.observe(engine).as_dict()
        names.append(values["name"])
        held.extend(values["holders"])

    @items.get("/{number}")
    def read(session: SessionDep, number: int) -> None:
        session.connection()
        note()

    @items.get("/{number}/later")
    async def read_later(session: AsyncSessionDep, number: int) -> None:
        await session.connection()
        note()

    @items.get("/{number}/own")
    def own(number: int) -> None:
        with dbctl.engine(profile).connect():
            note()

    app.include_router(items)
    paths = ["later"] if asynchronous else ["", "own"]
    with Served(app) as service:
        for number in range(3):
            for path in paths:
                assert service.client.get(f"/items/{number}/{path}".removesuffix("/")).status_code == 200
        families = text_string_to_metric_families(service.client.get("/metrics").text)
    assert names == [profile.name] * 3 * len(paths)
    routes = {"/".join(filter(None, ["GET /items/{number}", path])) for path in paths}
    assert {each["label"] for each in held} == routes
    counted = {
        sample.labels["label"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "dbctl_pool_label_checkouts_total"
    }
    assert counted == dict.fromkeys(routes, 3)


def test_workers_answer_for_each_other(sample: TestDatabase, tmp_path: Path) -> None:
    app = FastAPI(lifespan=lifespan(profile_of(sample), metrics_directory=tmp_path / "metrics"))
    app.include_router(health_router())

    @app.get("/")
    def use(session: SessionDep) -> None:
        session.connection()

    with Served(app) as service:
        service.client.get("/")
        assert service.metrics["checkouts_total"] == 1
    dbctl.dispose()
    with Served(app) as service:
        service.client.get("/")
        assert (service.metrics["checkouts_total"], service.metrics["workers"]) == (2, 1)


def test_of_both_drivers_all_that_requests_do_is_counted(sample: TestDatabase, tmp_path: Path) -> None:
    for directory in (None, tmp_path / "metrics"):
        app = FastAPI(lifespan=lifespan(profile_of(sample), metrics_directory=directory))
        app.include_router(health_router())

        @app.get("/async")
        async def use(session: AsyncSessionDep) -> None:
            await session.connection()

        @app.get("/sync")
        def use_too(session: SessionDep) -> None:
            session.connection()

        with Served(app) as service:
            assert [service.client.get("/async").status_code for _ in range(3)] == [200] * 3
            assert service.metrics["checkouts_total"] == 3
            assert service.client.get("/sync").status_code == 200
            counted = service.metrics
            assert [counted[name] for name in ("checkouts_total", "workers", "pools")] == [4, 1, 2]
        dbctl.dispose()


def test_what_the_service_does_by_itself_stays_in_the_sum_and_nothing_goes_back(sqlite_database: TestDatabase) -> None:
    profile = profile_of(sqlite_database)

    @asynccontextmanager
    async def own(_: FastAPI) -> AsyncIterator[None]:
        for _turn in range(10):
            with dbctl.session(profile) as session:
                session.connection()
        yield

    app = FastAPI(lifespan=lifespan(profile, own))
    app.include_router(health_router())

    @app.get("/dependency")
    async def use(session: AsyncSessionDep) -> None:
        await session.connection()

    @app.get("/own")
    async def use_own() -> None:
        async with dbctl.async_session(profile) as session:
            await session.connection()

    for first, second in (("/dependency", "/own"), ("/own", "/dependency")):
        with Served(app) as service:
            seen = [service.metrics]
            for path in (first, second):
                assert service.client.get(path).status_code == 200
                seen.append(service.metrics)
        assert [each["requests_total"] for each in seen] == [10, 11, 12]
        assert all(each["connects_total"] - each["closes_total"] == each["open"] for each in seen)
        assert seen[-1]["capacity"] == 2 * seen[0]["capacity"]
        dbctl.dispose()


def test_metrics_that_can_not_be_added_up_are_503(sqlite_database: TestDatabase, tmp_path: Path) -> None:
    directory = tmp_path / "metrics"
    app = FastAPI(lifespan=lifespan(profile_of(sqlite_database), metrics_directory=directory))
    app.include_router(health_router())
    with Served(app) as service:
        assert service.client.get("/metrics").status_code == 200  # which has begun by then
        shutil.rmtree(directory, ignore_errors=True)
        assert service.client.get("/metrics").status_code == 200
        while not directory.is_file():  # it is made again meanwhile
            directory.rename(tmp_path / uuid.uuid4().hex)
            directory.touch()
        assert (answer := service.client.get("/metrics")).status_code == 503
        assert "added up" in answer.text
        directory.unlink()
        assert service.client.get("/metrics").status_code == 200


def test_a_route_of_a_mounted_app_has_the_mount_in_its_name(sqlite_database: TestDatabase) -> None:
    profile = profile_of(sqlite_database)
    app = FastAPI(lifespan=lifespan(profile))
    app.include_router(health_router())
    inner = FastAPI(dependencies=[Depends(named_route)])

    @inner.get("/items/{number}")
    def read(number: int) -> None:
        with dbctl.engine(profile).connect():
            pass

    app.mount("/sub", inner)
    app.mount("/of/{tenant}", inner)

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        """Have the path begin with the root that a proxy has told, as a server does."""
        await app({**scope, "root_path": "/behind"}, receive, send)

    with Served(behind) as service:
        for path in ("/sub/items/1", "/sub/items/2", "/of/acme/items/1", "/of/7/items/7"):
            assert service.client.get(f"/behind{path}").status_code == 200
        text = service.client.get("/behind/metrics").text
    for path in ("/sub/items/{number}", "/of/{tenant}/items/{number}"):
        assert f'label_checkouts_total{{profile="{profile.name}",label="GET {path}"}} 2' in text
