"""What has to be said before a database is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbctl.databases.places import name_of

if TYPE_CHECKING:
    from dbctl.profiles import Profile


def word_for(profile: Profile) -> str:
    """Return the database's name; of a protected profile with its own before it: others have such a database too."""
    name = name_of(profile)
    return f"{profile.name}/{name}" if profile.protected else name
