"""`dbctl init-tables` on a service's own models, whichever way they are written and named."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl
from tests.harness.forked import Forked

SQLMODEL = """
from sqlmodel import Field, SQLModel
class Ship(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
"""
BASE = """
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
class Base(DeclarativeBase): pass
"""
DECLARATIVE = f"""{BASE}
class Ship(Base):
    __tablename__ = "ship"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
CORE = """
from sqlalchemy import Column, Integer, MetaData, Table
ship = Table("ship", MetaData(), Column("id", Integer, primary_key=True))
"""
IMPERATIVE = """
from sqlalchemy import Column, Integer, Table
from sqlalchemy.orm import registry
mapped = registry()
class Ship: pass
mapped.map_imperatively(Ship, Table("ship", mapped.metadata, Column("id", Integer, primary_key=True)))
"""
OF_OTHER_MODULE = """
from sqlalchemy.orm import Mapped, mapped_column
from app.db import Base
class Ship(Base):
    __tablename__ = "ship"
    id: Mapped[int] = mapped_column(primary_key=True)
"""


def write(directory: Path, files: Mapping[str, str]) -> None:
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(content)


@pytest.fixture
def run(dbctl: Dbctl) -> Dbctl:
    """Dbctl on the embedded default, in a directory for the service's code."""
    return Forked(cwd=dbctl.cwd, home=dbctl.home)


def created(dbctl: Dbctl, *args: str) -> set[str]:
    rows = dbctl.ok("init-tables", *args, "--json").json
    assert {row["state"] for row in rows} == {"created"}
    assert len(rows) == len({row["table"] for row in rows})
    return {row["table"] for row in rows}


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"models.py": SQLMODEL}, id="SQLModel"),
        pytest.param({"models.py": DECLARATIVE}, id="a declarative base"),
        pytest.param({"models.py": CORE}, id="a table on a bare MetaData"),
        pytest.param({"models.py": IMPERATIVE}, id="an imperative registry"),
        pytest.param({"models.py": "from ships import *\n", "ships.py": DECLARATIVE}, id="imported by a star"),
        pytest.param({"models.py": "from ships import ship\n", "ships.py": CORE}, id="imported by name"),
        pytest.param({"models/__init__.py": "from . import ships\n", "models/ships.py": DECLARATIVE}, id="a package"),
        pytest.param({"models/__init__.py": "import models.a.b\n", "models/a/b.py": CORE}, id="deep"),
    ],
)
def test_a_table_is_found_however_it_is_written(run: Dbctl, files: Mapping[str, str]) -> None:
    write(run.cwd, files)
    assert created(run, "--models", "models") == {"ship"}


def test_a_base_of_another_module_is_found_with_all_its_tables(run: Dbctl) -> None:
    write(run.cwd, {"app/__init__.py": "", "app/db.py": BASE, "app/models.py": OF_OTHER_MODULE})
    assert created(run, "--models", "app.models") == {"ship"}


def test_the_tables_of_three_bases_in_three_modules_are_all_created(run: Dbctl) -> None:
    names = ("ship", "crew", "port")
    files = {f"app/{name}.py": DECLARATIVE.replace("ship", name).replace("Ship", name.title()) for name in names}
    write(run.cwd, files | {"app/__init__.py": "", "app/models.py": "from app import crew, port, ship\n"})
    assert created(run, "--models", "app.models") == set(names)


def test_several_modules_can_be_named_and_each_table_counts_once(run: Dbctl) -> None:
    write(
        run.cwd, {"ships.py": DECLARATIVE, "crews.py": CORE.replace("ship", "crew"), "both.py": "import ships, crews\n"}
    )
    assert created(run, "--models", "ships", "--models", "crews", "--models", "ships") == {"ship", "crew"}


def test_a_services_own_hero_is_the_services(run: Dbctl) -> None:
    write(run.cwd, {"models.py": SQLMODEL.replace("Ship", "Hero")})
    result = run.ok("init-tables", "--models", "models", "--json")
    assert result.json == [{"table": "hero", "state": "created"}]
    assert "sample" not in result.err
    assert "secret_name" not in run.ok("init-tables", "--url", "sqlite:///x.db", "--models", "models", "--dry-run").out


@pytest.mark.parametrize(
    "toml",
    [
        'models = ["service.models"]\n',
        '[profiles.development]\nmodels = ["service.models"]\n',
        '[defaults]\nmodels = ["service.models"]\n',
        'models = ["nowhere"]\n[profiles.development]\nmodels = ["service.models"]\n',
    ],
    ids=["the file's", "the profile's", "the defaults'", "the profile's before the file's"],
)
def test_the_file_can_name_the_models(run: Dbctl, toml: str) -> None:
    write(run.cwd, {"service/models.py": DECLARATIVE, "profiles.toml": toml})
    assert created(run) == {"ship"}


def test_the_option_goes_before_the_file(run: Dbctl) -> None:
    write(run.cwd, {"models.py": DECLARATIVE, "profiles.toml": 'models = ["nowhere"]\n'})
    assert created(run, "--models", "models") == {"ship"}


@pytest.mark.parametrize("option", ["src", "./src/", "{cwd}/src"])
def test_the_models_are_imported_from_the_app_dir(run: Dbctl, option: str) -> None:
    write(run.cwd, {"src/models.py": DECLARATIVE, "models.py": "raise RuntimeError('the wrong one')\n"})
    assert created(run, "--models", "models", "--app-dir", option.format(cwd=run.cwd)) == {"ship"}


def test_a_process_of_its_own_finds_them_too_and_keeps_stdout_clean(dbctl: Dbctl) -> None:
    write(dbctl.cwd, {"models.py": f"{SQLMODEL}\nprint('loading models')\n"})
    result = dbctl.ok("init-tables", "--models", "models", "--json")
    assert result.json == [{"table": "ship", "state": "created"}]
    assert "loading models" in result.err


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no table is defined in models; name the modules that define them"),
        (BASE, "no table is defined in models; name the modules that define them"),
        ("import nonexistent\n", "models can't be imported: No module named 'nonexistent'"),
        ("1 / 0\n", "models can't be imported: ZeroDivisionError: division by zero"),
        ("def broken(:\n", "models can't be imported: SyntaxError: "),
        ("import sys; sys.exit('bye')\n", "models can't be imported: SystemExit: bye"),
        ("from sqlalchemy import none\n", "models can't be imported: ImportError: cannot import name 'none'"),
    ],
    ids=["empty", "a base", "a missing module", "an error", "no Python", "an exit", "a missing name"],
)
def test_models_that_are_none_are_a_configuration_error_with_the_reason(run: Dbctl, content: str, reason: str) -> None:
    write(run.cwd, {"models.py": content})
    result = run("init-tables", "--models", "models")
    assert (result.code, result.out) == (3, ""), str(result)
    assert result.talk.startswith(f"dbctl: error: models: {reason}")
    assert result.talk.count("\n") == 1
    assert not (run.cwd / "dev.db").exists()


@pytest.mark.parametrize("name", ["nowhere", "app.nowhere", "nowhere.models", "models.", ".models", "models.py"])
def test_a_module_that_is_not_there_is_named(run: Dbctl, name: str) -> None:
    write(run.cwd, {"app/__init__.py": "", "models.py": DECLARATIVE})
    result = run("init-tables", "--models", name)
    assert (result.code, result.out) == (3, ""), str(result)
    assert result.talk.startswith("dbctl: error: models: ")
    assert name in result.err
    assert result.talk.count("\n") == 1


def test_what_stands_for_a_module_is_asked_for_nothing(run: Dbctl) -> None:
    asked = "    @property\n    def __dict__(self): raise SystemError('all that is in it is made')\n"
    write(run.cwd, {"app/ships.py": f"import sys\n{CORE}\nclass Lib:\n{asked}\nsys.modules['lib.of_c'] = Lib()\n"})
    assert created(run, "--models", "app.ships") == {"ship"}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_index_without_a_name_is_told(quick: Dbctl) -> None:
    (quick.cwd / "nameless.py").write_text(
        "import sqlalchemy as sa\n"
        "t = sa.Table('t', sa.MetaData(naming_convention={'pk': 'pk_%(table_name)s'}), sa.Column('n', sa.Integer))\n"
        "sa.Index(None, t.c.n)\n"
    )
    # Drift is told by alembic, which is not there with what is oldest.
    for command in ("init-tables", *["drift"] * (find_spec("alembic.runtime.plugins") is not None)):
        result = quick(command, "--models", "nameless")
        assert (result.code, result.talk.count("\n")) == (1, 1), str(result)
        assert "models: t: the index of n has no name; give it one, or the naming convention an" in result.err
