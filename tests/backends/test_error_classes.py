"""Every class that a driver can raise has a meaning here, when it comes from an engine of dbctl's."""

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import exc

from dbctl.backends import backend_of
from dbctl.backends.origins import note_origin
from dbctl.errors import ConnectError, DbctlError, WorkRefused
from dbctl.profiles.layers import Layer, build

# The database, the module of the driver's errors, their base, and SQLAlchemy's dialect that knows the async ones.
DRIVERS = [
    ("postgresql", "psycopg2", "Error"),
    ("postgresql", "psycopg2.errors", "Error"),
    ("postgresql", "asyncpg.exceptions", "PostgresError"),
    ("postgresql", "asyncpg.exceptions", "InterfaceError"),
    ("mysql", "pymysql.err", "MySQLError"),
    ("mysql", "asyncmy.errors", "MySQLError"),
    ("sqlite", "sqlite3", "Error"),
]


def classes() -> Iterator[Any]:
    for scheme, name, base in DRIVERS:
        module = importlib.import_module(name)
        root = getattr(module, base, None) or importlib.import_module(name.partition(".")[0]).Error
        for kind in vars(module).values():
            if isinstance(kind, type) and issubclass(kind, root):
                yield pytest.param(scheme, kind, id=f"{name}.{kind.__name__}")


def backend(scheme: str) -> Any:
    place = {} if scheme == "sqlite" else {"host": "127.0.0.1", "port": 1, "user": "app"}
    return backend_of(build("test", [Layer({"driver": scheme, "database": "app", **place}, "the test")]))


def made(kind: type[BaseException]) -> BaseException:
    """Make an error as its driver does: MySQL's with a number, which is none of the server's."""
    return kind(19999, "no") if "mysql" in kind.__module__ or "asyncmy" in kind.__module__ else kind("no")


@pytest.mark.parametrize(("scheme", "kind"), list(classes()))
def test_at_work_it_is_an_error_of_dbctls(scheme: str, kind: type[Exception]) -> None:
    on = backend(scheme)
    original = made(kind)
    note_origin(original, on.profile)
    wrapped = exc.DBAPIError("SELECT 1", None, original)
    translated = on.translate(wrapped)
    assert isinstance(translated, DbctlError)
    expected = on.meaning(original)
    assert type(translated) is (expected.error if expected else WorkRefused), str(translated)


@pytest.mark.parametrize(("scheme", "kind"), list(classes()))
def test_on_the_way_to_a_connection_it_is_a_connect_error(scheme: str, kind: type[Exception]) -> None:
    on = backend(scheme)
    original = made(kind)
    note_origin(original, on.profile, connecting=True)
    translated = on.translate(exc.DBAPIError("", None, original))
    meaning = on.meaning(original)
    assert isinstance(translated, ConnectError if meaning is None or meaning.stage else meaning.error)


@pytest.mark.parametrize(("scheme", "kind"), list(classes()))
def test_of_somebody_elses_connection_it_is_none(scheme: str, kind: type[Exception]) -> None:
    on = backend(scheme)
    assert on.translate(made(kind)) is None
    assert on.translate(exc.DBAPIError("SELECT 1", None, made(kind))) is None


@pytest.mark.parametrize("scheme", ["postgresql", "mysql", "sqlite"])
def test_each_code_of_the_table_makes_the_error_that_it_names(scheme: str) -> None:
    for code, meaning in backend(scheme).meanings.items():
        assert issubclass(meaning.error, DbctlError), code
        assert not meaning.heals or issubclass(meaning.error, DbctlError), code
        assert meaning.stage is None or meaning.stage in {"name resolution", "TCP", "TLS", "login", "database"}, code
