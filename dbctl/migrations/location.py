"""Where a service keeps its alembic: an `alembic.ini`, `[tool.alembic]` in a `pyproject.toml`, or what a profile says.

https://alembic.sqlalchemy.org/en/latest/tutorial.html#editing-the-ini-file
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.errors import ConfigError, Remedy
from dbctl.profiles.files import is_file, text_of
from dbctl.records import record

if TYPE_CHECKING:
    from dbctl.profiles import Profile

INI, TOML, ENV = "alembic.ini", "pyproject.toml", "env.py"


@record
class Location:
    """Where alembic is told what it is told.

    Args:
        ini: The file in the form of `alembic.ini`, or None.
        toml: The `pyproject.toml`, or None.
        scripts: The directory with the `env.py`, where neither file says it.
    """

    ini: Path | None = None
    toml: Path | None = None
    scripts: Path | None = None

    @property
    def directory(self) -> Path:
        """Where what it names is, that is not found from the working directory."""
        place = self.ini or self.toml
        return place.parent if place else Path()


def locate(profile: Profile) -> Location:
    """Return where alembic is told what it is told.

    It is what the profile's `alembic` names; else ALEMBIC_CONFIG, which alembic reads too; else `alembic.ini` and
    `pyproject.toml` in the working directory; else in the profile's `app_dir`.

    Raises:
        ConfigError: There is nothing of the kind.
    """
    if found := located(profile):
        return found
    where = " and ".join(dict.fromkeys(map(str, _places(profile))))
    raise ConfigError(
        f"alembic: there is no {INI}, and no [tool.alembic] in a {TOML}, in {where}",
        Remedy.BEGIN_ALEMBIC,
    )


def located(profile: Profile) -> Location | None:
    """Return what `locate` does, or None where there is nothing of the kind.

    Raises:
        ConfigError: It is named, and is not there.
    """
    if profile.alembic is not None:
        return _named(Path(profile.alembic), f"{profile.origins.get('alembic', profile.called)}: alembic")
    if variable := os.environ.get("ALEMBIC_CONFIG"):
        return _named(Path(variable), "ALEMBIC_CONFIG")
    return next(filter(None, map(_in_directory, _places(profile))), None)


def is_used_by(profile: Profile) -> bool:
    """Tell whether the profile's service has an alembic, as far as that can be seen."""
    try:
        return located(profile) is not None
    except ConfigError:
        return False


def _places(profile: Profile) -> list[Path]:
    return [Path(), *([Path(profile.app_dir)] if profile.app_dir else [])]


def _named(path: Path, origin: str) -> Location:
    if path.is_dir():
        if found := _in_directory(path):
            return found
        if is_file(path / ENV):
            return Location(scripts=path)
        raise ConfigError(f"{origin}: there is no {INI}, no [tool.alembic] and no {ENV} in {path}")
    if not is_file(path):
        raise ConfigError(f"{origin}: there is no file {path}")
    return Location(toml=path) if path.name == TOML else Location(ini=path)


def _in_directory(directory: Path) -> Location | None:
    ini, toml = directory / INI, directory / TOML
    has_ini, has_toml = is_file(ini), is_file(toml) and _speaks_of_alembic(toml)
    return Location(ini if has_ini else None, toml if has_toml else None) if has_ini or has_toml else None


def _speaks_of_alembic(path: Path) -> bool:
    try:
        return "alembic" in tomllib.loads(text_of(path)).get("tool", {})
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
