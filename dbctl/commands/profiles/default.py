"""`dbctl profiles default`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.backends import backend_of
from dbctl.errors import ConfigError, UsageError
from dbctl.profiles import Profiles
from dbctl.profiles.completion import complete_profile
from dbctl.profiles.editing import Edit, Remove, Set
from dbctl.profiles.fleets import BETWEEN
from dbctl.profiles.words import nearest
from dbctl.profiles.writing import ProfileFile
from dbctl.records import record
from dbctl.work.effects import writes

PLACE = 6
PAGE = "profile-file"


@record
class Default:
    """The profile that the file names for when nothing else does; None where it names none."""

    default: str | None
    file: str


@writes()
def default(
    file: ProfileFile,
    name: Annotated[
        str | None,
        typer.Argument(
            help="The profile to take; without it, the present one is shown.",
            show_default=False,
            autocompletion=complete_profile,
        ),
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Name none.")] = False,
) -> Default:
    """Show or change which profile the profile file has taken when none is named.

    --profile, DBCTL_PROFILE and DATABASE_URL go before it.

    Examples:
        $ dbctl profiles default
        $ dbctl profiles default prod
    """
    if name is not None and unset:
        raise UsageError("a name and --unset are both given", "give one of them")
    if name is None and not unset:
        return Default(file.profiles().document.default, str(file.path))

    def edits(profiles: Profiles) -> Sequence[Edit]:
        if name is None:
            return [Remove(("default",))] if profiles.document.default is not None else []
        if not profiles.document.knows(name):
            raise ConfigError(f'no profile "{name}" in {file.path}', nearest(name, profiles.names()))
        return [Set(("default",), name)]

    is_row = name is not None and BETWEEN in name and file.profiles().document.fleet_of(name) is not None
    file.change(edits, [] if name is None or is_row else [name], backend_of)  # of a row nobody is asked
    return Default(name, str(file.path))
