"""`dbctl profiles path`."""

import os
from collections.abc import Sequence

from dbctl.profiles.writing import ProfileFile
from dbctl.records import record
from dbctl.results import PlainText

PLACE = 10
PAGE = "profile-file"


@record
class FilePath(PlainText):
    """Where the profile file is, or would be."""

    path: str
    exists: bool

    def __str__(self) -> str:
        return self.path


def path(file: ProfileFile) -> Sequence[FilePath]:
    """Print the path of the profile file that is used, or that would be if it were there.

    Examples:
        $ dbctl profiles path
        $ grep -n models $(dbctl profiles path)
    """
    return [FilePath(str(file.path), os.path.exists(file.path))]
