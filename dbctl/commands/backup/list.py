"""`dbctl backup list`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dbctl.backups.listing import Listed, list_backups, seconds_of
from dbctl.profiles.discovery import Profiles

PLACE = 2
PAGE = "backup"


def list_(
    _: Profiles,
    directory: Annotated[Path, typer.Argument(metavar="DIRECTORY", help="Where backups are made.")],
    max_age: Annotated[
        str | None,
        typer.Option("--max-age", metavar="TIME", help="Exit with 6 where the newest is older, as in 26h or 7d."),
    ] = None,
) -> Sequence[Listed]:
    """List the backups in a directory, the newest first: age, size, rows, and when each was verified.

    With --max-age it is the alarm for a job that has stopped without a word: the newest of each database has to be
    younger, and there has to be one.

    Examples:
        $ dbctl backup list /backups
        $ dbctl backup list /backups --max-age 26h --quiet
    """
    return list_backups(directory, None if max_age is None else seconds_of(max_age))
