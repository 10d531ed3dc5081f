"""What options with a few values have as their values, and the variables that name one."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import typer

from dbctl.errors import UsageError

Named = TypeVar("Named", bound=StrEnum)


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    TSV = "tsv"


class Log(StrEnum):
    """How what is said on stderr is written."""

    TEXT = "text"
    JSON = "json"


class Isolation(StrEnum):
    """The isolation levels of standard SQL, as they are typed; with blanks and in capitals too, as in SQL itself."""

    READ_UNCOMMITTED = "read-uncommitted"
    READ_COMMITTED = "read-committed"
    REPEATABLE_READ = "repeatable-read"
    SERIALIZABLE = "serializable"

    @classmethod
    def read(cls, text: str) -> "Isolation":
        """Return the level that a text names.

        Raises:
            typer.BadParameter: It names none.
        """
        try:
            return cls("-".join(text.lower().replace("-", " ").split()))
        except ValueError:
            raise typer.BadParameter(f"'{text}' is not one of {', '.join(cls)}") from None


def named(variable: str, kind: type[Named], environ: Mapping[str, str]) -> Named | None:
    """Return the value that a variable names; None where it is not set, or empty.

    Raises:
        UsageError: It names none.
    """
    named = environ.get(variable)
    if not named:
        return None
    try:
        return kind(named)
    except ValueError:
        raise UsageError(f"{variable}={named}: allowed is {', '.join(kind)}") from None
