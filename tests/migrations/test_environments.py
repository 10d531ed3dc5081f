"""An env.py as it is: it is given the profile's engine, may have its own, and leads nowhere else."""

from dataclasses import replace
from pathlib import Path

import pytest
from alembic.config import Config
from sqlalchemy import make_url

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.migrations.conftest import MakeService

SHOWN_LINES = (
    'if (connection := context.config.attributes.get("connection")) is not None:',
    "    context.configure(connection=connection, target_metadata=target_metadata)",
    "    with context.begin_transaction(): context.run_migrations()",
)


def test_an_engine_of_its_own_is_taken_where_it_leads_to_the_same_database(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    service("own")
    run = on_database.with_env(SERVICE_URL=database.url)
    assert len(run.ok("migrate", "upgrade", "--json").json) == 3
    assert run.ok("migrate", "upgrade", "--json").json == []
    assert run.ok("migrate", "current", "--json").json[0]["revision"] == "a3"


def test_one_that_leads_to_a_database_beside_it_is_refused_before_anything_runs(
    on_database: Dbctl, database: TestDatabase, service: MakeService, tmp_path: Path
) -> None:
    service("own")
    other = make_url(database.url)
    if database.server:
        database.server.create_database(f"{database.name}_b")
        other = other.set(database=f"{database.name}_b")
    else:
        other = other.set(database=str(tmp_path / "other.db"))
        on_database.ok("init-tables")
    try:
        run = on_database.with_env(SERVICE_URL=other.render_as_string(hide_password=False))
        for command in (["upgrade"], ["current"], ["check"], ["downgrade", "base"], ["stamp", "a1"], ["history", "-i"]):
            result = run("migrate", *command)
            assert result.code == 3, str(result)
            first, second, *lines = result.talk.splitlines()
            assert first.startswith("dbctl: error: migrations/env.py leads to ")
            assert str(other.database) in first
            assert database.name in first.replace(str(other.database), "")
            assert first.endswith(": nothing was run")
            assert lines == [f"dbctl: error: {line}" for line in SHOWN_LINES], second
            assert other.password is None or str(other.password) not in result.err
    finally:
        if database.server:
            database.server.drop_database(f"{database.name}_b")


def test_one_of_another_kind_is_refused(
    on_database: Dbctl, server_database: TestDatabase, service: MakeService, tmp_path: Path
) -> None:
    (on_database.cwd / "profiles.toml").write_text(server_database.toml, encoding="utf-8")
    service("own")
    run = on_database.with_env(**server_database.env, SERVICE_URL=f"sqlite:///{tmp_path / 'other.db'}")
    assert run("migrate", "upgrade").code == 3


def test_the_three_lines_that_are_shown_are_enough(
    on_database: Dbctl, database: TestDatabase, service: MakeService, tmp_path: Path
) -> None:
    made = service("own")
    rest = "\n".join(["with context.begin_transaction():", "        context.run_migrations()"])
    made.edit(
        "migrations/env.py", "engine = create_engine", "\n".join([*SHOWN_LINES, "else:", "  engine = create_engine"])
    )
    made.edit("migrations/env.py", "\nwith engine.connect()", "\n  with engine.connect()")
    made.edit("migrations/env.py", f"    {rest}", f"    {rest}")
    run = on_database.with_env(SERVICE_URL=f"sqlite:///{tmp_path / 'other.db'}")
    assert len(run.ok("migrate", "upgrade", "--json").json) == 3
    assert not (tmp_path / "other.db").exists()


@pytest.mark.parametrize("make", ["create_engine(config.get_main_option('sqlalchemy.url'))", "create_engine(url=URL)"])
def test_the_configured_url_is_the_profiles(
    make: str, on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    made = service("own")
    made.edit("migrations/env.py", 'create_engine(os.environ["SERVICE_URL"], poolclass=pool.NullPool)', make)
    made.edit(
        "migrations/env.py",
        "\nengine =",
        "\nconfig = context.config\nURL = config.get_main_option('sqlalchemy.url')\nengine =",
    )
    made.edit(
        "migrations/env.py",
        "    with context.begin",
        "    print('by', connection.engine.pool.size())\n    with context.begin",
    )
    (on_database.cwd / "profiles.toml").write_text(f"{database.toml}\n", encoding="utf-8")
    result = on_database.ok("migrate", "upgrade", "--json")
    assert len(result.json) == 3
    assert "by 5\n" in result.err  # the profile's pool


def test_a_url_with_percent_signs_passes_through_the_ini(
    on_database: Dbctl, service: MakeService, server_database: TestDatabase
) -> None:
    """Both what dbctl puts there, and what an env.py sets without doubling them."""
    made = service("generic")
    password = server_database.env[next(iter(server_database.env))]
    made.edit(
        "migrations/env.py", "target_metadata = None", "config.set_main_option('sqlalchemy.url', 'x://u:p%40%s@h/d')"
    )
    made.edit(
        "migrations/env.py",
        "config.set_main_option",
        "before = config.get_main_option('sqlalchemy.url')\nimport hashlib\n"
        "from sqlalchemy import make_url\n"
        "print('given', hashlib.sha256(make_url(before).password.encode()).hexdigest())\nconfig.set_main_option",
    )
    made.edit("migrations/env.py", "target_metadata=target_metadata,", "")
    made.edit("migrations/env.py", "connection=connection, target_metadata=target_metadata", "connection=connection")
    (on_database.cwd / "profiles.toml").write_text(server_database.toml, encoding="utf-8")
    result = on_database.with_env(**server_database.env).ok("migrate", "upgrade", "--json")
    import hashlib

    assert f"given {hashlib.sha256(password.encode()).hexdigest()}\n" in result.err
    assert len(result.json) == 3


@pytest.mark.parametrize("path", ["../alembic.ini", "../deploy/../alembic.ini"])
def test_it_is_the_same_file_by_whatever_path(path: str, dbctl: Dbctl, service: MakeService) -> None:
    service("generic")
    for name in ("deploy", "data"):
        (dbctl.cwd / name).mkdir()
    beside = replace(dbctl, cwd=dbctl.cwd / "deploy", env={**dbctl.env, "ALEMBIC_CONFIG": path})
    assert len(beside.ok("--url", "sqlite:///../data/x.db", "migrate", "upgrade", "--json").json) == 3


def test_what_an_env_prints_is_talk_and_what_it_logs_silences_nothing(on_database: Dbctl, service: MakeService) -> None:
    made = service()
    made.edit("migrations/env.py", "target_metadata = None", "target_metadata = None\nprint('hello from env.py')")
    result = on_database.ok("migrate", "upgrade", "--json")
    assert len(result.json) == 3
    assert "hello from env.py\n" in result.err
    assert "dbctl: upgrade a1 create items: " in result.err
    assert "alembic.runtime" not in result.err  # dbctl says it


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise RuntimeError('no settings')", "RuntimeError: no settings"),
        ("import sys; sys.exit(0)", "SystemExit: 0"),
        ("import nowhere_at_all", "ModuleNotFoundError: No module named 'nowhere_at_all'"),
        ("os._exit(0)", "Left: it would end the process with exit code 0"),
    ],
)
def test_what_an_env_raises_is_one_line(code: str, told: str, dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    made.edit("migrations/env.py", "target_metadata = None", f"import os\n{code}")
    dbctl.ok("init-tables")
    result = dbctl("migrate", "current")
    assert result.code == 3
    assert result.err.startswith(f"dbctl: error: migrations/env.py: {told} (migrations/env.py, line ")
    assert len(result.err.splitlines()) == 1


COMMANDS = [["upgrade"], ["downgrade", "base"], ["stamp", "head"], ["current"], ["check"], ["upgrade", "--sql"]]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_one_that_configures_nothing_is_an_error(words: list[str], dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    (made.root / "migrations" / "env.py").write_text("", encoding="utf-8")
    dbctl.ok("init-tables")
    result = dbctl("migrate", *words)
    assert result.code == 3
    assert result.talk.startswith(
        "dbctl: error: migrations/env.py: it configures no connection; have it configure one "
    )


@pytest.mark.parametrize("words", [["upgrade"], ["stamp", "head"], ["upgrade", "--sql"]], ids=" ".join)
def test_one_that_runs_nothing_is_an_error(words: list[str], dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    made.edit("migrations/env.py", "context.run_migrations()", "pass")
    result = dbctl("migrate", *words)
    assert result.code == 3
    assert result.talk == (
        "dbctl: error: migrations/env.py: it runs no migrations; have it call context.run_migrations()\n"
    )


def test_what_one_runs_that_begins_no_transaction_is_committed(
    on_database: Dbctl, database: TestDatabase, service: MakeService
) -> None:
    made = service("given")
    made.edit("migrations/env.py", "with context.begin_transaction():\n    context", "context")
    assert len(on_database.ok("migrate", "upgrade", "a2", "--json").json) == 2
    assert database.execute("SELECT version_num FROM alembic_version") == [("a2",)]
    assert database.execute("SELECT revision FROM runs") == [("a2",)]
    on_database.ok("migrate", "upgrade", "--dry-run")
    assert database.execute("SELECT revision FROM runs") == [("a2",)]


def test_an_env_that_migrates_several_databases_is_refused(dbctl: Dbctl, service: MakeService) -> None:
    service(
        "multidb",
        more="databases = one, two\n[one]\nsqlalchemy.url = sqlite:///1.db\n[two]\nsqlalchemy.url = sqlite:///2.db",
    )
    result = dbctl("migrate", "upgrade")
    assert result.code == 3
    assert "it asks for the engines of several databases, and a profile is one" in result.err


def test_it_is_found_where_the_profile_file_says(dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    backend = dbctl.cwd / "backend"
    backend.mkdir()
    for name in ("alembic.ini", "migrations"):
        (made.root / name).rename(backend / name)
    missing = dbctl("migrate", "upgrade")
    assert missing.code == 3
    assert "there is no alembic.ini, and no [tool.alembic] in a pyproject.toml, in ." in missing.err
    for place in ("backend/alembic.ini", "backend", "backend/migrations"):
        (dbctl.cwd / "profiles.toml").write_text(
            f'alembic = "{place}"\n[profiles.p]\nurl = "sqlite:///{place.count("/")}{len(place)}.db"\n',
            encoding="utf-8",
        )
        assert len(dbctl.ok("migrate", "upgrade", "--json").json) == 3, place
    (dbctl.cwd / "profiles.toml").unlink()
    assert len(dbctl.ok("migrate", "upgrade", "--json", env={"ALEMBIC_CONFIG": "backend/alembic.ini"}).json) == 3


def test_it_is_found_in_pyproject_toml(dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    (made.root / "alembic.ini").unlink()
    (made.root / "pyproject.toml").write_text(
        '[tool.alembic]\nscript_location = "%(here)s/migrations"\n', encoding="utf-8"
    )
    if hasattr(Config(), "toml_file_name"):
        assert len(dbctl.ok("migrate", "upgrade", "--json").json) == 3
    else:
        assert "pyproject.toml: [tool.alembic] needs alembic 1.16 or newer" in dbctl("migrate", "upgrade").err


def test_an_env_asks_for_what_x_says(dbctl: Dbctl, service: MakeService) -> None:
    made = service()
    made.edit("migrations/env.py", "target_metadata = None", "target_metadata = None\nprint(context.get_x_argument())")
    assert "['tenant=a']\n" in dbctl.ok("migrate", "upgrade", "-x", "tenant=a").err
