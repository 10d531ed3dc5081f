"""The names that `dbctl console` has: all models, told apart, whatever can't be imported."""

import pytest

from tests.harness.cli import Dbctl
from tests.harness.forked import Forked

SHIP = (
    "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n"
    "class Base(DeclarativeBase): pass\n"
    "class {name}(Base):\n    __tablename__ = '{table}'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
)


@pytest.fixture
def app(dbctl: Dbctl) -> Forked:
    package = dbctl.cwd / "yard"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "old.py").write_text(SHIP.format(name="Hull", table="old_hull"))
    (package / "new.py").write_text(SHIP.format(name="Hull", table="new_hull"))
    (package / "odd.py").write_text(SHIP.format(name="profile", table="odd"))
    (package / "broken.py").write_text(SHIP.format(name="Mast", table="mast") + "1 / 0\n")
    (package / "sails.py").write_text(
        "from sqlalchemy import Column, Integer, Table\nfrom sqlalchemy.orm import registry\n"
        "mapping = registry()\nclass Sail: pass\n"
        "mapping.map_imperatively(Sail, Table('sail', mapping.metadata, Column('id', Integer, primary_key=True)))\n"
    )
    (package / "rigs.py").write_text(
        "import enum\nfrom sqlalchemy.orm import relationship\nclass Sails(enum.Enum): square = 1\n"
        + SHIP.format(name="Rig", table="rig")
        + "    sails: Mapped[Sails] = mapped_column()\n    crew = relationship('Nobody')\n"
    )
    (dbctl.cwd / "profiles.toml").write_text('[profiles.yard]\nurl = "sqlite:///yard.db"\n')
    (dbctl.cwd / "yard.db").write_bytes(b"")
    return Forked(cwd=dbctl.cwd, home=dbctl.home)


def test_models_of_one_name_are_told_apart_and_none_has_the_plain_name(app: Forked) -> None:
    result = app.ok("console", "--models", "yard", "-c", "print(old_Hull.__tablename__, new_Hull.__tablename__)")
    assert result.out == "old_hull new_hull\n"
    assert "dbctl: 2 models have the name Hull: new_Hull is yard.new.Hull, old_Hull is yard.old.Hull\n" in result.err
    assert "NameError" in app("console", "--models", "yard", "-c", "Hull").err


def test_the_consoles_own_names_stay(app: Forked) -> None:
    result = app.ok("console", "--models", "yard", "-c", "print(profile.name, odd_profile.__tablename__)")
    assert result.out == "yard odd\n"
    assert "the name profile is the console's: odd_profile is yard.odd.profile\n" in result.err


def test_what_is_mapped_without_a_base_is_there_too(app: Forked) -> None:
    assert app.ok("console", "--models", "yard", "-c", "print(Sail.__name__)").out == "Sail\n"


def test_the_enums_of_all_models_are_there_wherever_relationships_lead(app: Forked) -> None:
    result = app.ok("console", "--models", "yard", "-c", "print(Sails.square, Sail.__name__)")
    assert result.out == "Sails.square Sail\n"


def test_a_module_that_cant_be_imported_is_told_and_stops_nothing_else(app: Forked) -> None:
    result = app.ok("console", "--models", "yard", "--models", "nowhere", "-c", "print(Sail.__name__)")
    assert result.out == "Sail\n"
    assert "left out: models: yard.broken can't be imported: ZeroDivisionError: division by zero" in result.err
    assert "left out: models: there is no module nowhere in ." in result.err


def test_modules_are_imported_from_the_directory_that_is_said(app: Forked) -> None:
    app.ok("console", "--app-dir", "yard", "--models", "sails", "-c", "import old; print(Sail, old.Hull)")
    result = app("console", "--app-dir", "nowhere", "-c", "1")
    assert (result.code, "the directory nowhere can't be read" in result.err) == (3, True), str(result)
