"""`dbctl init-tables` on modules that do what a module of models should not: none of it is dbctl's."""

from dataclasses import replace

import pytest

from dbctl.tables import modules
from tests.commands.test_init_tables_models import BASE, CORE, DECLARATIVE, SQLMODEL, created, run, write  # noqa: F401
from tests.harness.cli import Dbctl

SECRET = "hunter2-horse"


def refused(dbctl: Dbctl, *args: str, code: int = 3, env: dict[str, str] | None = None) -> str:
    """Return the one line of an error that shows no secret, with a traceback neither."""
    result = dbctl(*args, env=env)
    assert (result.code, result.out) == (code, ""), str(result)
    errors = [line for line in result.err.splitlines() if line.startswith("dbctl: error: ")]
    assert len(errors) == 1
    assert result.err.splitlines()[-1] == errors[0]
    assert SECRET not in result.err
    assert SECRET not in dbctl(*args, "--debug", env=env).err
    return errors[0]


SETTINGS = """
import os
from pydantic import BaseModel, SecretStr, field_validator
class Settings(BaseModel):
    db_password: str
    smtp_host: str
    port: int
    @field_validator("db_password")
    def check(cls, value):
        if os.environ.get("STRICT"):
            raise ValueError(f"{value} is too short")
        return value
Settings(db_password=os.environ["PW"], port="x" * 3, extra=os.environ["PW"])
"""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            SETTINGS,
            "ValidationError of Settings: smtp_host is missing, port is wrong (int_parsing) (models.py, line 13)",
        ),
        ("import os; os.environ['STRICT'] = '1'\n" + SETTINGS, "db_password is wrong (value_error)"),
        ("import os; int(os.environ['PW'])", "ValueError: invalid literal for int() with base 10: '$PW'"),
        ("import os; raise RuntimeError('bad: ' + repr(os.environ['PW']))", "RuntimeError: bad: '$PW'"),
        ("open('.env', 'w').write('hunter2' + '-mare'); int(open('.env').read())", "with base 10: '…'"),
        ("from sqlalchemy import create_engine; import os\ncreate_engine('nodb://u:' + os.environ['PW'] + '@h/d')", ""),
        ("raise RuntimeError('no postgresql://u:' + 'hunter2' + '-horse@host/db')", "no postgresql://…@host/db"),
        ("raise ValueError(\"SHOP_URL has to be set, see 'README'\")", "SHOP_URL has to be set, see 'README'"),
        ("raise RuntimeError('a\\nb\\nc' * 500)", "RuntimeError: a b ca b c"),
        (
            "class E(Exception):\n    def __str__(self): raise TypeError\nraise E",
            "can't be imported: E (models.py, line 3)",
        ),
        ("raise KeyboardInterrupt", "can't be imported: KeyboardInterrupt"),
        ("class E(BaseException): pass\nraise E('skipped')", "can't be imported: E: skipped"),
        ("raise Exception([object()])", "can't be imported: Exception: [<object object>] (models.py, line 1)"),
        ("raise ExceptionGroup('two', [ValueError(1), KeyError(2)])", "the first of which is ValueError: 1"),
        ("import sys; sys.modules[__name__] = 5", "puts something that is no module in its own place"),
        ("import os; os._exit(0)", "it would end the process with exit code 0"),
        ("import sqlite3; sqlite3.connect(':memory:').execute('SELECT a')", "OperationalError: no such column"),
    ],
)
def test_what_a_module_raises_is_one_line_without_a_value(run: Dbctl, content: str, said: str) -> None:  # noqa: F811
    write(run.cwd, {"models.py": content})
    error = refused(run, "init-tables", "--models", "models", env={"PW": SECRET})
    assert error.startswith("dbctl: error: models: models can't be imported: ")
    assert said in error
    assert len(error) < 500


@pytest.mark.parametrize(
    "content",
    [
        "import sys; sys.stdout.close()",
        "import sys; sys.stderr.close(); sys.stdout = sys.stderr = None",
        "import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='latin-1'); del sys.stdout",
        "import codecs, sys; sys.stderr = codecs.getwriter('utf-8')(sys.stderr.detach())",
        "import os; os.close(1); os.close(2)",
        "import os; os.system('echo rubbish')",
        "import os; os.write(1, b'rubbish'); print('rubbish')",
        "import sys; sys.__stdout__.write('rubbish')",
        "import logging, sys; logging.basicConfig(stream=sys.stdout, level=0)",
        "import logging; logging.disable(100)",
        "import logging.config; logging.config.dictConfig({'version': 1, 'disable_existing_loggers': True})",
        "import logging; logging.getLogger('sqlalchemy.engine').setLevel(10); logging.basicConfig(level=10)",
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)",
        "import signal; signal.alarm(1); import time",
        "import os; os.chdir('/')",
        "import warnings; warnings.simplefilter('error')",
        "import atexit, os; atexit.register(os._exit, 9)",
        "import atexit; atexit.register(print, 'rubbish'); atexit.register(lambda: 1 / 0)",
        "import weakref\nclass A: pass\na = A(); weakref.finalize(a, print, 'rubbish')",
        "import threading, time; threading.Thread(target=time.sleep, args=(50,)).start()",
        "import sys; sys.excepthook = sys.displayhook = None; sys.exitfunc = None",
        "import sys; sys.path.clear()",
        "import sys; sys.path = ['/nowhere']",
        "import sys; sys.modules['nothing'] = None; sys.modules['odd'] = 3",
    ],
)
def test_what_a_module_does_to_the_process_changes_nothing(dbctl: Dbctl, content: str) -> None:
    write(dbctl.cwd, {"models.py": f"{SQLMODEL}\n{content}\n"})
    result = dbctl("init-tables", "--models", "models", "--dry-run", timeout=20)
    assert result.code == 0, str(result)
    assert result.out.startswith("CREATE TABLE ship (")
    assert result.out.endswith("\n);\n\n")
    assert "dbctl: dry run: all of it is rolled back" in result.err
    assert "Traceback" not in result.err
    assert "INFO" not in result.err


PROXIES = """
class Proxy:
    def __getattr__(self, name):
        raise RuntimeError("Working outside of application context.")
class Worse(Proxy):
    @property
    def __class__(self):
        raise SystemExit(5)
class All:
    def __getattr__(self, name):
        return self
class Stopping:
    def __getattr__(self, name):
        raise KeyboardInterrupt
import sys, types
lazy = types.ModuleType("lazy")
del lazy.__name__
nameless = types.ModuleType("models.odd"); nameless.__name__ = None
current_app, g, anything, stopping = Proxy(), Worse(), All(), Stopping()
"""


def test_objects_that_answer_no_question_are_passed_over(run: Dbctl) -> None:  # noqa: F811
    write(run.cwd, {"models.py": PROXIES + CORE})
    assert created(run, "--models", "models") == {"ship"}


CREW = """
from typing import TYPE_CHECKING
from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column
from app.db import Base
if TYPE_CHECKING:
    from app.ships import Ship
class Crew(Base):
    __tablename__ = "crew"
    id: Mapped[int] = mapped_column(primary_key=True)
    ship_id: Mapped[int] = mapped_column(ForeignKey("ship.id"))
"""
SHIPS = DECLARATIVE.replace(BASE, "from app.db import Base\nfrom sqlalchemy.orm import Mapped, mapped_column\n")
APP = {"app/__init__.py": "", "app/db.py": BASE, "app/crews.py": CREW, "app/ships.py": SHIPS}


@pytest.mark.parametrize("option", [[], ["--check"], ["--dry-run"]])
def test_a_table_whose_module_is_not_imported_is_named_with_what_to_do(run: Dbctl, option: list[str]) -> None:  # noqa: F811
    write(run.cwd, APP)
    error = refused(run, "init-tables", "--models", "app.crews", *option)
    assert error == (
        "dbctl: error: models: crew.ship_id refers to the table ship, which none of them defines; "
        "name the module that does too, such as app.ships"
    )


def test_modules_beside_the_named_one_that_define_tables_are_told(run: Dbctl) -> None:  # noqa: F811
    write(run.cwd, APP)
    result = run.ok("init-tables", "--models", "app.ships", "--json")
    assert "dbctl: tables are left out that app.crews defines: name them too, or their package\n" in result.err
    assert "left out" not in run.ok("init-tables", "--models", "app.ships", "--exclude", "app.crews").err
    write(run.cwd, {"shop.py": CORE, "orders.py": CORE, "other.py": "print('nothing')"})
    assert "left out that orders defines" in run.ok("init-tables", "--models", "shop").err


@pytest.mark.parametrize("models", ["app", "app.*"])
def test_a_package_is_taken_whole(run: Dbctl, models: str) -> None:  # noqa: F811
    write(run.cwd, APP)
    write(run.cwd, {"app/deep/er/models.py": CORE.replace("ship", "deep"), "app/__main__.py": "1 / 0\n"})
    write(run.cwd, {"app/legacy/old.py": CORE.replace("ship", "old") + "1 / 0\n"})
    error = refused(run, "init-tables", "--models", models)
    assert error.endswith(
        "app.legacy.old can't be imported: ZeroDivisionError: division by zero (app/legacy/old.py, line"
        " 4); leave it out with exclude or --exclude"
    )
    assert created(run, "--models", models, "--exclude", "app.legacy") == {"ship", "crew", "deep"}


@pytest.mark.parametrize("where", ["", "[defaults]\n", "[profiles.development]\n"])
def test_the_file_names_what_is_left_alone_and_the_option_goes_before_it(run: Dbctl, where: str) -> None:  # noqa: F811
    write(run.cwd, APP | {"app/old.py": CORE.replace("ship", "old"), "app/legacy.py": "1 / 0\nTable('x')\n"})
    write(run.cwd, {"profiles.toml": f'{where}models = ["app"]\nexclude = ["app.legacy", "*.old"]\n'})
    assert created(run) == {"ship", "crew"}
    dropped = run.ok("drop-tables", "--exclude", "app.legacy", "--json").json
    assert {row["table"]: row["state"] for row in dropped} == {"ship": "dropped", "crew": "dropped", "old": "missing"}
    assert "app.legacy can't be imported" in refused(run, "init-tables", "--exclude", "*.old")


def test_what_is_no_list_of_patterns_is_refused(run: Dbctl) -> None:  # noqa: F811
    write(run.cwd, {"profiles.toml": 'exclude = "app.legacy"\n'})
    error = refused(run, "init-tables")
    assert error.endswith('exclude: allowed is a list of module names or patterns, such as ["app.legacy", "*.tests"]')


def test_what_defines_no_table_is_imported_only_where_all_is_asked_for(run: Dbctl) -> None:  # noqa: F811
    write(run.cwd, APP | {"app/main.py": "raise RuntimeError('it would serve')\n", "app/broken.so": ""})
    assert created(run, "--models", "app") == {"ship", "crew"}
    assert "app.main can't be imported" in refused(run, "init-tables", "--models", "app.*", "--exclude", "app.broken")


def test_a_package_of_one_module_is_none(run: Dbctl) -> None:  # noqa: F811
    write(run.cwd, {"models.py": CORE})
    assert "models is no package; name it models" in refused(run, "init-tables", "--models", "models.*")


@pytest.mark.parametrize("where", ["", "[defaults]\n", "[profiles.development]\n"])
def test_the_file_names_the_directory_of_the_models(run: Dbctl, where: str) -> None:  # noqa: F811
    write(run.cwd, {"conf/src/shop.py": CORE, "conf/profiles.toml": f'{where}app_dir = "src"\nmodels = ["shop"]\n'})
    assert created(run, "-c", "conf/profiles.toml") == {"ship"}
    error = refused(run, "-c", "conf/profiles.toml", "init-tables", "--app-dir", "nowhere")
    assert "app_dir: the directory nowhere can't be read: No such file or directory" in error


def test_they_stand_beside_a_file_that_is_elsewhere(run: Dbctl) -> None:  # noqa: F811
    """As of cron, or in a directory further down; and those of the working directory go first."""
    service = CORE + 'def greet() -> str:\n    return "hello"\n'
    write(run.cwd, {"repo/profiles.toml": 'models = ["shop"]\n', "repo/shop.py": service, "repo/.git/HEAD": ""})
    write(run.cwd, {"repo/deep/empty.txt": ""})
    assert created(run, "-c", "repo/profiles.toml") == {"ship"}
    deep = replace(run, cwd=run.cwd / "repo" / "deep")
    assert created(deep) == {"ship"}
    assert deep.ok("run", "shop:greet").out == "value\thello\n"
    write(deep.cwd, {"shop.py": CORE.replace("ship", "crew")})
    assert created(deep, "--url", "sqlite:///other.db") == {"crew"}


CONVENTION = """
from sqlalchemy import Boolean, Column, Integer, MetaData, Table
Table("ship", metadata := MetaData(naming_convention={"ck": "ck_%(table_name)s_%(constraint_name)s"}),
      Column("id", Integer), Column("afloat", Boolean(create_constraint=True)))
"""
LONG = """
from sqlalchemy import CheckConstraint, Column, Integer, MetaData, Table
Table("ship", metadata := MetaData(), Column("id", Integer), CheckConstraint("id > 1", name="x" * 10000))
"""
LISTENER = f"""{CORE}
from sqlalchemy import event
@event.listens_for(ship, "before_create")
def say(*_, **__):
    print("rubbish")
    raise LookupError("no tenant")
"""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (CONVENTION, "ship: InvalidRequestError: Naming convention including %(constraint_name)s token requires that"),
        (LONG, "ship: IdentifierError: Identifier 'xxxx"),
        (LISTENER, "LookupError: no tenant (models.py, line 9); it is the models' own code that says so"),
    ],
)
def test_what_sqlalchemy_refuses_is_no_bug(run: Dbctl, content: str, said: str) -> None:  # noqa: F811
    write(run.cwd, {"models.py": content})
    assert said in refused(run, "init-tables", "--models", "models", code=1)


def test_a_source_that_cannot_be_read_defines_nothing() -> None:
    assert not modules.Source("a", None).defines_tables()
    assert not modules.Source("a", "/nowhere/a.py").defines_tables()
    assert not modules.Source("a", "/nowhere/a.so").defines_tables()
