"""`dbctl profiles remove`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.errors import ConfigError
from dbctl.profiles import Profiles
from dbctl.profiles.completion import complete_profile
from dbctl.profiles.editing import Edit, Remove
from dbctl.profiles.presets import PRESETS
from dbctl.profiles.writing import ProfileFile, table_of
from dbctl.records import record
from dbctl.work.effects import writes

PLACE = 8
PAGE = "profile-file"


@record
class Removed:
    """A profile that is no longer in the file."""

    name: str
    file: str


@writes()
def remove(
    file: ProfileFile,
    name: Annotated[
        str, typer.Argument(help="The profile's name.", show_default=False, autocompletion=complete_profile)
    ],
) -> Removed:
    """Remove a profile from the profile file, with the comments that are its own.

    Those are the ones within its tables, directly above them and directly below. All else stays as it is.

    Examples:
        $ dbctl profiles remove local
        $ dbctl profiles remove local --dry-run
    """

    def edits(profiles: Profiles) -> Sequence[Edit]:
        table_of(profiles, name)
        if profiles.document.default == name and name not in PRESETS:
            message = f'{file.path}: "{name}" is the default'
            raise ConfigError(message, "name another first, with: dbctl profiles default NAME, or none with --unset")
        return [Remove(("profiles", name))]

    file.change(edits, [])
    return Removed(name, str(file.path))
