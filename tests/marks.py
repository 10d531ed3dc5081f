"""Which tests have which mark, by their file: `-m "not slow"`, `-m timing`, `-m dependency`, `-m each`."""

from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

TESTS = Path(__file__).parent

SLOW = [
    "backups/test_ended*.py",
    "backups/test_full_pipe.py",
    "backups/test_lost_server.py",
    "backups/test_reached.py",
    "backups/test_swap.py",
    "bulk/test_round_trip.py",
    "bulk/test_there_and_back.py",
    "cli/test_canary.py",
    "cli/test_hostile_values.py",
    "cli/test_import_hygiene.py",
    "cli/test_interrupted_start.py",
    "cli/test_pager.py",
    "cli/test_streaming.py",
    "cli/test_streams.py",
    "commands/test_console_idle.py",
    "commands/test_console_prompt.py",
    "commands/test_console_signals.py",
    "commands/test_main_job.py",
    "commands/test_ping_wait.py",
    "commands/test_shell_clients.py",
    "connections/test_silence.py",
    "connections/test_tunnel_lifetime.py",
    "drift/test_drift.py",
    "drift/test_retyping.py",
    "faults/test_bank*.py",
    "faults/test_bulk*.py",
    "faults/test_cuts.py",
    "faults/test_fork.py",
    "faults/test_frozen.py",
    "faults/test_failover.py",
    "faults/test_galera*.py",
    "faults/test_haproxy.py",
    "faults/test_kill*.py",
    "faults/test_signals*.py",
    "faults/test_standby.py",
    "fastapi/test_openapi.py",
    "manual/test_developing.py",
    "manual/test_examples.py",
    "pool/test_page.py",
    "sample/test_*_races.py",
    "sample/commands/test_serve.py",
    "servers/test_*.py",
    "services/test_start.py",
]
"""What takes many seconds: without it there is an answer in a fraction of the time."""

TIMING = [
    "commands/test_console_idle.py",
    "commands/test_console_signals.py",
    "commands/test_ping_wait.py",
    "connections/test_bounds.py",
    "faults/test_commit_reply.py",
    "faults/test_contention.py",
    "faults/test_deadline.py",
    "faults/test_frozen.py",
    "faults/test_signals*.py",
    "faults/test_silent_listener.py",
    "faults/test_sqlite_locks.py",
    "work/test_runs.py",
]
"""What must be done within a time: on a machine with too much else to do, look here first."""

EACH = [
    "activity/*",
    "backends/*",
    "backups/*",
    "connections/*",
    "databases/*",
    "doctor/*",
    "drift/*",
    "faults/*",
    "servers/*",
    "tables/*",
    "work/*",
]
"""Where databases are on trial, MySQL beside MariaDB."""

OWN = [
    "test_layout.py",
    "test_readme.py",
    "backups/test_ended*.py",
    "backups/test_full_pipe.py",
    "harness/*",
    "manual/*",
    "servers/*",
    "profiles/test_discovery.py",
    "profiles/test_editing.py",
    "profiles/test_example.py",
    "profiles/test_importing.py",
    "profiles/test_secrets.py",
    "profiles/test_sources.py",
    "profiles/test_writing.py",
    "commands/test_console_signals.py",
    "commands/test_profiles_*.py",
    "commands/test_main_job.py",
    "commands/test_shell*.py",
    "cli/test_canary.py",
    "cli/test_import_hygiene.py",
    "cli/test_lock.py",
    "cli/test_streams.py",
    "drift/*",
    "faults/test_bank*.py",
    "faults/test_broken_pipe.py",
    "faults/test_disk_full.py",
    "faults/test_kill9.py",
    "faults/test_read_only.py",
    "faults/test_restart.py",
    "faults/test_signals*.py",
    "faults/test_silent_listener.py",
    "sample/test_*_races.py",
    "tables/test_*_races.py",
]
"""What proves dbctl's own files, signals and processes, and the servers that the tests run: no version of a dependency
can break it. All else has the mark `dependency`, and is run on the oldest versions too."""


def marks_of(path: Path) -> Iterator[str]:
    """Return the marks of a test file's tests."""
    name = path.relative_to(TESTS).as_posix()
    tables = {"slow": SLOW, "timing": TIMING, "each": EACH}
    yield from (mark for mark, patterns in tables.items() if _any(patterns, name))
    if not _any(OWN, name):
        yield "dependency"


def _any(patterns: list[str], name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
