"""The library's face: what `import dbctl` gives, and that each of it is loaded when it is first used."""

import subprocess
import sys

import pytest

import dbctl

PROMISED = {"profile", "engine", "async_engine", "session", "async_session", "unit_of_work", "Profile", "DbctlError"}


def test_the_promised_names_are_there() -> None:
    assert set(dbctl.__all__) >= PROMISED


def test_every_public_name_can_be_listed() -> None:
    assert set(dir(dbctl)) >= {*dbctl.__all__, "__version__"}
    assert dbctl.__all__ == sorted(set(dbctl.__all__))


@pytest.mark.parametrize("name", dbctl.__all__)
def test_every_name_is_documented(name: str) -> None:
    assert getattr(dbctl, name).__doc__


@pytest.mark.parametrize("name", dbctl.__all__)
def test_every_name_is_loaded_when_it_is_first_used(name: str) -> None:
    script = f"import dbctl; assert {name!r} not in vars(dbctl); dbctl.{name}; assert {name!r} in vars(dbctl)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_all_names_can_be_imported_at_once() -> None:
    script = "from dbctl import *; import dbctl; assert all(name in globals() for name in dbctl.__all__)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'dbctl' has no attribute 'nonsense'"):
        dbctl.nonsense  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    from importlib.metadata import version

    assert dbctl.__version__ == version("sqlmodel-dbctl")


def test_the_library_needs_no_command_line() -> None:
    script = (
        "import sys, dbctl\n"
        "with dbctl.session('testing') as session:\n"
        "    assert session.connection().exec_driver_sql('SELECT 1').scalar() == 1\n"
        "dbctl.dispose()\n"
        "assert not {'typer', 'rich', 'dbctl.cli'} & set(sys.modules), 'the command line was loaded'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
