"""With a pool of one connection no command waits for itself: what it asks beside its work it asks past the pool."""

from importlib.util import find_spec

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import forked

POOL = "\n[profiles.pg.pool]\nsize = 1\nmax_overflow = 0\ntimeout = 2\n"
COMMANDS = (
    "init-tables --lock nightly",
    "teams add one",
    "teams add two",
    "heroes add Deadpond --secret-name Dive --team one",
    "transfer Deadpond --from one --to two --lock nightly --deadline 20",
    "heroes list --isolation serializable --max-lag 5",
    "query --write UPDATE/**/hero/**/SET/**/age=1 --timeout 20",
    *(["drift"] if find_spec("alembic.runtime.plugins") else []),  # alembic 1.18
    "activity --all",
    "ping --count 2",
    "topology",
    "doctor --level error",
    "pool-stats --duration 0.1",
    "exec --lock nightly -- true",
    "drop-tables --lock nightly --confirm pg",
)


def test_no_command_waits_for_itself(dbctl: Dbctl, postgres_database: TestDatabase) -> None:
    run = forked(dbctl, postgres_database)
    with (dbctl.cwd / "profiles.toml").open("a", encoding="utf-8") as file:
        file.write(POOL)
    for command in COMMANDS:
        result = run(*command.split())
        assert result.code == 0, str(result)
