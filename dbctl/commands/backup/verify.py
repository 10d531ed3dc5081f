"""`dbctl backup verify`."""

from pathlib import Path
from typing import Annotated

import typer

from dbctl.backups.verifying import Verified
from dbctl.databases.places import Place
from dbctl.errors import UsageError

PLACE = 3
PAGE = "backup"


def verify(
    place: Place,
    backup: Annotated[
        Path, typer.Argument(metavar="FILE|DIRECTORY", help="The backup; of a directory the newest that it holds.")
    ],
    on: Annotated[
        str | None,
        typer.Option("--on", metavar="PROFILE", help="Whose server it is restored on, instead of --profile."),
    ] = None,
    query: Annotated[
        list[str] | None,
        typer.Option("--query", metavar="SQL", help="Ask this of what was restored; may be said again."),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option("--expect", metavar="VALUE", help="The one value that --query is to give, as text."),
    ] = None,
) -> Verified:
    """Prove a backup: restore it into a scratch database, and count.

    The checksum comes first; then rows are counted against the manifest, foreign keys looked at, and SQLite's pages.
    The scratch database is dropped whatever comes. Exits with 6 where it is no backup, and notes when it was one.

    Examples:
        $ dbctl backup verify shop.dump
        $ dbctl backup verify /backups --on staging --query "SELECT name FROM team WHERE id = 1" --expect Preventers
    """
    from dbctl.backups import verifying

    if len(query or ()) != len(expect or ()):
        raise UsageError("each --query needs its --expect", "say one behind the other")
    questions = [verifying.Question(*pair) for pair in zip(query or (), expect or (), strict=True)]
    profile = place.profile if on is None else place.named(on)
    return verifying.verify(backup, profile, questions, place.profile.name)
