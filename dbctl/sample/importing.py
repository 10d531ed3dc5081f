"""Heroes from files: each row is validated as one that is added by the service is, and its team found by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from sqlmodel import col, select

from dbctl.backends.bulk import Rows
from dbctl.bulk.advice import PART_BY_COMMAS, other_delimiter, told_header, told_name, without_options
from dbctl.bulk.bad_rows import Bad
from dbctl.bulk.importing import import_files
from dbctl.bulk.terms import How, Imported
from dbctl.errors import UsageError
from dbctl.sample.models import Team
from dbctl.sample.schemas import HeroCreate
from dbctl.work.database import Database

_COLUMNS = ("name", "secret_name", "age", "team")
_NEEDED = {"name", "secret_name"}
_DIGITS = r"^-?[0-9]+$"
_NUMBERS = "age"


def import_heroes(database: Database, files: Sequence[str], how: How | None = None) -> Imported:
    """Add all heroes of files, or none.

    Args:
        database: Where.
        files: Files with the columns name, secret_name, and where they have them age and team: its name.
        how: How they are read.

    Raises:
        UsageError: A file has other columns.
        Conflict: A hero is none, or there is no such team; the message has the first one, and why.
    """
    teams = {name: str(id_) for id_, name in database.session.exec(select(col(Team.id), col(Team.name)))}
    with without_options():
        return import_files(database, files, "hero", how, _Review(teams, database.profile.protected))


@dataclass(frozen=True)
class _Review:
    """What is made of rows: `team` becomes `team_id`.

    Args:
        teams: The ids of the teams by their names.
        masked: Whether no value is told.
    """

    teams: Mapping[str, str]
    masked: bool

    def __call__(self, rows: Rows, bad: Callable[[Bad], None]) -> Rows:
        if unknown := [place for place, name in enumerate(rows.names) if name not in _COLUMNS]:
            if other_delimiter(rows.names, _COLUMNS):
                raise UsageError(f"{rows.file}: {told_header(rows.names, masked=self.masked)}", PART_BY_COMMAS)
            told = told_name(rows.names, unknown[0], masked=self.masked)
            raise UsageError(f"{rows.file}: a hero has no column {told}; it has {', '.join(_COLUMNS)}")
        reasons: dict[int, tuple[str, str]] = {}
        made: list[Any] = []
        found: Mapping[int, str]
        for name, column in zip(rows.names, rows.columns, strict=True):
            if name == "team":
                ids = list(map(self.teams.get, column))
                lacking = enumerate(zip(ids, column, strict=True)) if None in ids else ()
                found = {at: "there is no such team" for at, (id_, team) in lacking if id_ is None and team is not None}
                made.append(ids)
            else:
                found = _invalid(name, column)
                made.append(column)
            for index, reason in found.items():
                reasons.setdefault(index, (name, reason))
        for name in sorted(_NEEDED.difference(rows.names)):
            reasons |= dict.fromkeys(range(len(rows)), (name, "there is none"))
        for index, (name, reason) in sorted(reasons.items()):
            value = rows.columns[list(rows.names).index(name)][index] if name in rows.names else None
            bad(Bad(rows.file, rows.lines[index], name, value, reason, rows.names, rows.row(index)))
        names = ["team_id" if name == "team" else name for name in rows.names]
        return replace(rows, names=names, columns=made).without(reasons)


def _invalid(name: str, column: Sequence[Any]) -> Mapping[int, str]:
    """Return what is wrong with a column's values, by their indexes; pydantic looks at all of it at once."""
    found: dict[int, str] = {}
    for adapter in _adapters(name):
        try:
            adapter.validate_python(column)
        except ValidationError as error:
            for one in error.errors(include_url=False, include_context=False, include_input=False):
                reason = (
                    "it is no whole number"
                    if one["type"] == "string_pattern_mismatch" and name == _NUMBERS
                    else one["msg"]
                )
                found.setdefault(int(one["loc"][0]), f"{reason[0].lower()}{reason[1:]}")
    return found


@cache
def _adapters(name: str) -> Sequence[TypeAdapter[Any]]:
    """Return what validates a column of texts as the field of the service's own schema."""
    from pydantic import Field

    field = HeroCreate.model_fields[name]
    whole: Any = Annotated[field.annotation, field]
    if name != _NUMBERS:
        return [TypeAdapter(Sequence[whole])]
    digits: Any = Annotated[str, Field(pattern=_DIGITS)]
    return [TypeAdapter(Sequence[digits | None]), TypeAdapter(Sequence[whole])]
