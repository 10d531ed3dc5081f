"""A password's source is asked for each connection, so that one that is rotated locks nobody out."""

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dbctl.backends import backend_of
from dbctl.backends.logins import KEPT, Source
from dbctl.connections.connector import async_opened, opened
from dbctl.errors import ConfigError
from dbctl.probe import async_ping, ping
from tests.harness.database import TestDatabase
from tests.harness.profile import engine_of
from tests.harness.role import Role, role

__all__ = ["role"]


def test_new_connections_of_an_engine_log_in_with_a_password_that_was_rotated(role: Role) -> None:
    with engine_of(role.by_file()) as engine:
        for password in ("second", "third"):
            engine.connect().close()
            role.rotate(password)
            engine.dispose()
            engine.connect().close()
        backend = backend_of(role.by_file())
        with backend.second_connection():
            role.rotate("fourth")
        with backend.second_connection():  # for which the last one is kept as long as it serves
            pass


def test_so_do_those_of_an_async_engine_and_no_event_loop_waits_for_a_command(role: Role) -> None:
    async def go_on() -> None:
        while not (role.directory / "asked").exists():
            await asyncio.sleep(0.01)
        (role.directory / "go").touch()

    async def work() -> None:
        going = asyncio.create_task(go_on())
        # It does not end before the loop has gone on.
        profile = role.by_command("until [ -e go ]; do sleep 0.02; done", connect_timeout=20)
        async with async_opened(profile) as connector:
            async with connector.engine.connect():
                await going
            role.rotate("second")
            await connector.engine.dispose()
            async with connector.engine.connect():
                pass

    asyncio.run(work())


def test_a_pool_that_fills_asks_once_and_a_later_connection_again(role: Role) -> None:
    profile = role.by_command("until [ -e go ]; do sleep 0.02; done", connect_timeout=20)
    together = threading.Barrier(5)
    with engine_of(profile) as engine, ThreadPoolExecutor(4) as threads:

        def connect() -> None:
            together.wait()
            with engine.connect():
                together.wait()

        connecting = [threads.submit(connect) for _ in range(4)]
        together.wait()
        time.sleep(0.3)  # until they are there
        (role.directory / "go").touch()
        together.wait()
        for each in connecting:
            each.result()
        assert role.asked == 1
        time.sleep(KEPT)
        engine.dispose()
        engine.connect().close()
        assert role.asked == 2


@pytest.mark.parametrize("server_database", ["postgresql", "mariadb"], indirect=True)
def test_a_source_that_gives_none_is_told_by_each_connect_until_it_gives_one(role: Role) -> None:
    role.file.unlink()
    with opened(role.by_file()) as connector:
        for _ in range(2):
            with pytest.raises(ConfigError, match="password_file: can't read"):
                connector.engine.connect()
        role.rotate("second")
        connector.engine.connect().close()


@pytest.mark.parametrize("driver", ["sync", "async"])
def test_a_command_takes_no_longer_than_connecting_may(
    driver: str, tmp_path: Path, postgres_database: TestDatabase
) -> None:
    profile = Role(postgres_database, tmp_path).by_command("exec sleep 60", connect_timeout=0.5)
    ask = ping if driver == "sync" else lambda profile: asyncio.run(async_ping(profile))
    with pytest.raises(ConfigError, match=r"sh took longer than connecting may: connect_timeout is 0\.5 s"):
        ask(profile)


def test_who_waits_for_a_source_hears_why_it_gave_nothing() -> None:
    asked, go = threading.Event(), threading.Event()

    def read(_seconds: float) -> str:
        asked.set()
        go.wait(20)
        raise ConfigError("the vault is sealed")

    source = Source("profile shop")
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(source.ask, read, 20, time.monotonic())
        asked.wait(20)
        with pytest.raises(ConfigError, match=r"profile shop: the password's source has said nothing for 0\.1 s"):
            source.ask(read, 0.1, time.monotonic())
        pid = os.fork()
        if pid == 0:  # which has not the thread that asks
            asked.clear()
            go.set()
            try:
                source.ask(read, 5, time.monotonic())
            except ConfigError as error:
                os._exit(0 if asked.is_set() and "sealed" in str(error) else 1)
            os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        go.set()
        with pytest.raises(ConfigError, match="the vault is sealed"):
            first.result()
