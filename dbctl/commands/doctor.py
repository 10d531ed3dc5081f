"""`dbctl doctor`."""

from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from dbctl.backends.findings import Finding, Level
from dbctl.doctor.diagnosis import diagnose
from dbctl.profiles import Profile

PANEL = "Service"
PLACE = 11
PAGE = "doctor"


def doctor(
    profile: Profile,
    level: Annotated[
        Literal["note", "warning", "error"], typer.Option(help="How bad a finding has to be for exit code 6.")
    ] = "warning",
    deep: Annotated[
        bool, typer.Option("--deep", help="On SQLite, read the whole file and check its integrity.")
    ] = False,
) -> Sequence[Finding]:
    """Hold the profile against the server's own limits, clock and sessions, and say what to change.

    All is read on one connection, and nothing is written. Exit code 6 says that there is a warning or an error.

    Examples:
        $ dbctl doctor
        $ dbctl -p prod doctor --level error
    """
    return diagnose(profile, Level(level), deep=deep)
