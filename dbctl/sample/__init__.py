"""The sample domain: heroes, their teams, and the log of their transfers.

The functions work on a session and never commit; the unit of work around them does. They are loaded when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbctl.sample.heroes import (
        add_hero,
        change_hero,
        find_hero,
        hero_by_id,
        hero_row,
        heroes_by_team,
        list_heroes,
        remove_hero,
        show_hero,
        stream_heroes,
        update_hero,
    )
    from dbctl.sample.models import Hero, SampleModel, Team, TransferLog
    from dbctl.sample.teams import add_team, find_team, list_teams, remove_team, stream_teams
    from dbctl.sample.transfers import list_transfers, stream_transfers, transfer

_HOMES = {
    "models": ("Hero", "SampleModel", "Team", "TransferLog"),
    "heroes": (
        "add_hero",
        "change_hero",
        "find_hero",
        "hero_by_id",
        "hero_row",
        "heroes_by_team",
        "list_heroes",
        "remove_hero",
        "show_hero",
        "stream_heroes",
        "update_hero",
    ),
    "teams": ("add_team", "find_team", "list_teams", "remove_team", "stream_teams"),
    "transfers": ("list_transfers", "stream_transfers", "transfer"),
}

__all__ = [
    "Hero",
    "SampleModel",
    "Team",
    "TransferLog",
    "add_hero",
    "add_team",
    "change_hero",
    "find_hero",
    "find_team",
    "hero_by_id",
    "hero_row",
    "heroes_by_team",
    "list_heroes",
    "list_teams",
    "list_transfers",
    "remove_hero",
    "remove_team",
    "show_hero",
    "stream_heroes",
    "stream_teams",
    "stream_transfers",
    "transfer",
    "update_hero",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
