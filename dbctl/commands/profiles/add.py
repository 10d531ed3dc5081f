"""`dbctl profiles add`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.backends import backend_of
from dbctl.profiles import Profiles
from dbctl.profiles.editing import Append, Edit, Set
from dbctl.profiles.settings import nested, settings_of
from dbctl.profiles.writing import ProfileFile, check_new
from dbctl.records import record
from dbctl.work.effects import writes

PLACE = 3
PAGE = "profile-file"


@record
class Added:
    """A profile that is in the file now."""

    name: str
    default: bool
    file: str


@writes()
def add(
    file: ProfileFile,
    name: Annotated[str, typer.Argument(help="The new profile's name.", show_default=False)],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            help="A URL, and KEY=VALUE for what else holds for it: pool.size=5 ssl.mode=require.",
            show_default=False,
        ),
    ] = None,
    default: Annotated[
        bool, typer.Option("--default", help="Make it the one that is taken when none is named.")
    ] = False,
) -> Added:
    """Add a profile to the profile file, which is created where there is none.

    Values are written as in TOML; a text needs no quotes. No password is taken: name its source, with
    password_env=VARIABLE or password_file=FILE. A profile that could not be used is refused.

    Examples:
        $ dbctl profiles add prod postgresql://app@db.example.com/shop password_env=SHOP_DB_PASSWORD
        $ dbctl profiles add local sqlite:///local.db --default
    """
    values = settings_of(settings or [])

    def edits(profiles: Profiles) -> Sequence[Edit]:
        check_new(profiles, name)
        added = Append(("profiles", name), nested(values))
        return [added, Set(("default",), name)] if default else [added]

    file.change(edits, [name], backend_of)
    return Added(name, default, str(file.path))
