"""`dbctl profiles set`."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from dbctl.backends import backend_of
from dbctl.errors import ConfigError, UsageError
from dbctl.profiles import Profiles
from dbctl.profiles.completion import complete_profile
from dbctl.profiles.editing import Edit, Remove, Set
from dbctl.profiles.settings import settings_of
from dbctl.profiles.words import nearest
from dbctl.profiles.writing import ProfileFile, table_of
from dbctl.records import record
from dbctl.work.effects import writes

PLACE = 5
PAGE = "profile-file"


@record
class Written:
    """A value that is in the file now; None for one that no longer is."""

    profile: str
    key: str
    value: Any
    file: str


@writes()
def set_(
    file: ProfileFile,
    name: Annotated[
        str, typer.Argument(help="The profile's name.", show_default=False, autocompletion=complete_profile)
    ],
    settings: Annotated[
        list[str] | None,
        typer.Argument(help="KEY=VALUE for each; KEY VALUE for one.", show_default=False),
    ] = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", metavar="KEY", help="A key to take out; may be repeated.")
    ] = None,
) -> Sequence[Written]:
    """Set values of a profile in the profile file, or take them out.

    All else in the file stays as it is, comments too. Values are written as in TOML; a text needs no quotes. No
    password is taken. What would make the profile unusable is refused.

    Examples:
        $ dbctl profiles set prod pool.size=10 ssl.mode=verify-full
        $ dbctl profiles set prod --unset statement_timeout
    """
    values, gone = settings_of(_joined(settings or [])), unset or []
    if not values and not gone:
        raise UsageError("there is nothing to set", "write KEY=VALUE, such as pool.size=5")

    def edits(profiles: Profiles) -> Sequence[Edit]:
        table = table_of(profiles, name)
        for key in gone:
            if not _is_in(table, key):
                raise ConfigError(f"{file.path} [profiles.{name}]: {key} is not there", nearest(key, _keys(table)))
        return [*(Remove(_path(name, key)) for key in gone), *(Set(_path(name, key), values[key]) for key in values)]

    file.change(edits, [name], backend_of)
    return [Written(name, key, values.get(key), str(file.path)) for key in [*gone, *values]]


def _joined(words: Sequence[str]) -> Sequence[str]:
    """Take the two words of `pool.size 5` for `pool.size=5`."""
    return ["=".join(words)] if len(words) == 2 and "=" not in words[0] and "://" not in words[0] else words


def _path(name: str, key: str) -> tuple[str, ...]:
    return ("profiles", name, *key.split("."))


def _keys(table: Any, prefix: str = "") -> Iterator[str]:
    for key, value in table.items():
        yield from _keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [f"{prefix}{key}"]


def _is_in(table: Any, key: str) -> bool:
    for part in key.split("."):
        if not isinstance(table, dict) or part not in table:
            return False
        table = table[part]
    return True
