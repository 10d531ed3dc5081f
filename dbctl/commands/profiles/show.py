"""`dbctl profiles show`."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from pydantic import BaseModel

from dbctl.backends import backend_of
from dbctl.profiles import Profiles
from dbctl.profiles.completion import complete_profile
from dbctl.records import record

PLACE = 2
PAGE = "profiles"


@record
class Setting:
    """One value of a profile, and where it came from."""

    key: str
    value: Any
    origin: str


def show(
    profiles: Profiles,
    name: Annotated[
        str | None,
        typer.Argument(
            help="The profile's name; the one that is taken when none is named.",
            show_default=False,
            autocompletion=complete_profile,
        ),
    ] = None,
) -> Iterator[Setting]:
    """Show the profile as it takes effect, secrets masked, and where each value came from.

    A note says what is taken in another way than the profile says it: the driver of a service's URL, an option.

    Examples:
        $ dbctl profiles show
        $ dbctl profiles show prod
        $ DATABASE_URL=sqlite:///x.db dbctl profiles show
    """
    profile = profiles.select(name)
    backend = backend_of(profile)
    yield Setting("name", profile.name, "")
    yield Setting("url", profile.shown_url, profile.origins.get("driver", ""))
    for key, why in backend.remarks():
        yield Setting("note", f"{key} {why}", profile.origins.get(key.partition(".")[0], ""))
    yield from _settings(profile, profile.origins)


def _settings(table: BaseModel, origins: Any, prefix: str = "") -> Iterator[Setting]:
    for field in type(table).model_fields:
        value = getattr(table, field)
        key = f"{prefix}{field}"
        if isinstance(value, BaseModel):
            yield from _settings(value, origins, f"{key}.")
        elif value not in (None, (), {}) and key not in {"name", "query"}:
            yield Setting(key, "********" if key == "password" else value, origins.get(key, "built in"))
