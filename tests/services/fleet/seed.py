"""Functions as services have them for their first data, for nightly work, to look."""

import logging
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from sqlalchemy import Connection, Engine, func, text
from sqlalchemy.orm import Session as PlainSession
from sqlmodel import Session, select

from dbctl import Database, Profile

from .models import Ship

logging.basicConfig(level=logging.INFO)
_log = logging.getLogger(__name__)

SessionDep = Annotated[Session, "what a framework wants to know"]


class Rig(Enum):
    """How a ship is rigged."""

    SLOOP = "sloop"
    BRIG = "brig"


@dataclass(frozen=True)
class Total:
    """How many ships there are."""

    ships: int


def first(session: Session) -> None:
    """Add the first ship."""
    session.add(Ship(name="Argo", tons=7))


def add(session: SessionDep, name: str, count: int = 1, tons: int = 0) -> Sequence[Ship]:
    """Add ships.

    Args:
        name: What their names begin with.
        count: How many
            there will be.
    """
    _log.info("adding %d", count)
    print("to stdout")
    ships = [Ship(name=f"{name}{number}", tons=tons) for number in range(count)]
    session.add_all(ships)
    return ships


def fail(session: Session, name: str = "Ghost") -> None:
    """Add a ship, and fail."""
    session.add(Ship(name=name))
    session.flush()
    raise LookupError("no harbour")


def twice(session: Session) -> None:
    """Add the same ship twice."""
    for _ in range(2):
        session.add(Ship(name="Twin"))
        session.flush()


def leave(session: Session, code: int) -> None:
    """Add a ship, and leave."""
    session.add(Ship(name="Leaving"))
    session.flush()
    sys.exit(code)


def leave_saying(session: Session) -> None:
    """Leave with a word."""
    sys.exit("no wind")


def commit(session: Session, passing: bool = False) -> None:
    """Commit by itself, as many services do, and add one more."""
    session.add(Ship(name="Committed"))
    try:
        session.commit()
    except Exception:
        if not passing:
            raise
    session.add(Ship(name="After"))


def commit_and_fail(session: Session) -> None:
    """Commit by itself, and fail."""
    session.add(Ship(name="Committed"))
    session.commit()
    session.add(Ship(name="After"))
    session.flush()
    raise LookupError("no wind")


def savepoint(session: Session) -> None:
    """Use a savepoint, which is no commit."""
    with session.begin_nested():
        session.add(Ship(name="Nested"))


def commit_in_sql(connection: Connection) -> None:
    """Commit past SQLAlchemy."""
    connection.execute(text("INSERT INTO ship (name, tons) VALUES ('Raw', 1)"))
    connection.execute(text("COMMIT"))


def create_in_sql(connection: Connection) -> None:
    """Begin with what ends a transaction on some databases, and is run after it."""
    connection.execute(text("CREATE TABLE dock (id INTEGER)"))


def all_ships(session: Session) -> Sequence[Ship]:
    """Return models."""
    return session.exec(select(Ship).order_by(Ship.name)).all()


def one_ship(session: Session) -> Ship | None:
    """Return a model."""
    return session.exec(select(Ship)).first()


def rows(session: Session) -> Any:
    """Return rows, still to be fetched."""
    return session.connection().execute(select(Ship.name, Ship.tons).order_by(Ship.name))


def pairs(session: PlainSession) -> Sequence[Any]:
    """Return rows of a model and a value."""
    return session.execute(select(Ship, func.length(Ship.name).label("letters"))).all()


def mapping(session: Session) -> Mapping[str, Any]:
    """Return a dict."""
    return {"ships": 3, "of": {"tons": [1, 2]}}


def total(session: Session) -> Total:
    """Return a dataclass."""
    return Total(session.exec(select(func.count()).select_from(Ship)).one())


def scalar(connection: Connection) -> Any:
    """Return a scalar."""
    return connection.scalar(text("SELECT 42"))


def words(session: Session) -> list[str]:
    """Return scalars."""
    return ["one", "two"]


def drip(session: Session, count: int = 3, pause: float = 0.0) -> Iterator[dict[str, int]]:
    """Yield, and talk meanwhile."""
    for number in range(count):
        print(f"at {number}")
        yield {"number": number}
        time.sleep(pause)


def drip_and_fail(session: Session) -> Iterator[dict[str, int]]:
    """Yield, and fail."""
    yield {"number": 0}
    raise LookupError("ran dry")


def kinds(
    session: Session,
    when: date = date(2026, 1, 1),
    price: Decimal = Decimal("1.50"),
    rig: Rig = Rig.SLOOP,
    tags: list[str] = [],  # noqa: B006
    more: dict[str, int] | None = None,
    path: Path | None = None,
    url: str = "",
    lazy: bool = False,
) -> Mapping[str, Any]:
    """Return what it was given."""
    return {
        "when": when.isoformat(),
        "price": str(price),
        "rig": rig.value,
        "tags": tags,
        "more": more,
        "text": path.read_text() if path else None,
        "url": url,
        "lazy": lazy,
    }


def by_database(database: Database) -> str:
    """Tell the profile's name."""
    return database.profile.name


def by_profile(profile: Profile) -> str:
    """Tell the profile's name."""
    return profile.name


def by_engine(engine: Engine) -> Any:
    """Commit on an engine, which is nobody's unit of work."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO ship (name, tons) VALUES ('Engine', 1)"))
        return connection.scalar(text("SELECT count(*) FROM ship"))


def by_nothing(times: int = 1) -> int:
    """Compute."""
    return 21 * times


def changes_the_process(session: Session) -> str:
    """Do what would change how dbctl ends."""
    os.chdir("/")
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    os.system("echo from a program")
    return "done"


def sleeps(session: Session, seconds: float = 60) -> None:
    """Take long."""
    session.add(Ship(name="Sleeper"))
    session.flush()
    print("sleeping", flush=True)
    time.sleep(seconds)


def late(name: str, session: Session) -> None:
    """Ask for its session too late."""


def odd(session: Session, what: Ship | int = 1) -> None:
    """Ask for what no option can be."""


NUMBER = 5


class Counting:
    """A callable object."""

    def __call__(self, session: Session, name: str = "Counted") -> None:
        """Add a ship by an object."""
        session.add(Ship(name=name))


counting = Counting()
partly = partial(add, name="Part", count=2)


def commit_below(session: Session, failing: bool = False) -> None:
    """Commit on the driver's own connection, and perhaps fail."""
    session.add(Ship(name="Below"))
    session.flush()
    connection = session.connection().connection.dbapi_connection
    assert connection is not None
    connection.commit()
    if failing:
        raise LookupError("no wind")


def run_sql(session: Session, statement: list[str]) -> None:
    """Add a ship, run statements, and add another."""
    session.add(Ship(name="Before"))
    session.flush()
    for one in statement:
        session.connection().exec_driver_sql(one)
    session.add(Ship(name="After"))


def commit_connection_and_fail(connection: Connection) -> None:
    """Commit a connection, and fail."""
    connection.execute(text("INSERT INTO ship (name, tons) VALUES ('Kept', 1)"))
    connection.commit()
    raise LookupError("no wind")


def mixed(session: Session) -> list[Any]:
    """Add a ship, and return what no table can show."""
    session.add(Ship(name="Mixed"))
    return [1, {"a": 2}]


class Unspeakable:
    """An object that can't be shown."""

    def __str__(self) -> str:
        """Fail."""
        raise LookupError("no words")

    __repr__ = __str__


def unspeakable(session: Session) -> Any:
    """Add a ship, and return what can't be shown."""
    session.add(Ship(name="Unspeakable"))
    return Unspeakable()


def with_set(session: Session, numbers: set[int]) -> None:
    """Ask for a set."""


def with_more(session: Session, *names: str, **more: str) -> None:
    """Ask for any number."""


def bare(session) -> None:  # type: ignore[no-untyped-def]
    """Do not say what it needs."""
