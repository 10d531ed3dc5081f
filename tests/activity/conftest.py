"""Sessions that keep each other waiting, and dbctl as a user who may see that."""

from collections.abc import Iterator

import pytest

from tests.activity.sessions import Cast
from tests.harness.cli import Dbctl
from tests.harness.database import SERVER_KINDS, TestDatabase
from tests.harness.forked import Forked, forked
from tests.harness.shared import make_shared


@pytest.fixture(scope="module", params=SERVER_KINDS)
def contended(request: pytest.FixtureRequest) -> Iterator[TestDatabase]:
    """A database on each server in turn, with a table to be waited for, and a user who may see who holds it."""
    for database in make_shared(request.param, request):
        server = database.server
        assert server
        database.execute("CREATE TABLE contended (id INTEGER PRIMARY KEY, x INTEGER)")
        database.execute("INSERT INTO contended VALUES (1, 0), (2, 0)")
        server.create_role("seer", "secret")
        if server.kind == "postgresql":
            server.execute(f"GRANT pg_read_all_stats, pg_signal_backend, {server.app_user} TO seer")
        else:
            power = "CONNECTION ADMIN" if server.kind == "mariadb" else "CONNECTION_ADMIN"
            server.execute(f"GRANT PROCESS, {power} ON *.* TO seer@'%'")
            if server.kind == "mysql":
                server.execute("GRANT SELECT ON performance_schema.* TO seer@'%'")
            server.execute(f"GRANT ALL ON {database.name}.* TO seer@'%'")
        yield database
        server.drop_role("seer")


@pytest.fixture
def seer(contended: TestDatabase, dbctl: Dbctl) -> Forked:
    """Dbctl as who may see all."""
    toml = contended.toml.replace('user = "app"', 'user = "seer"')
    run = forked(dbctl, contended)
    (dbctl.cwd / "profiles.toml").write_text(f'default = "{contended.profile}"\n\n{toml}', encoding="utf-8")
    return run.with_env(**dict.fromkeys(contended.env, "secret"))


@pytest.fixture
def cast(contended: TestDatabase) -> Iterator[Cast]:
    """Who plays the sessions; all end with the test."""
    with Cast(contended) as made:
        yield made
