"""What the sample's commands return: frozen rows, with the names of teams beside their ids. Their fields are stable."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class TeamRow:
    """A team, and how many heroes are in it."""

    id: int
    name: str
    headquarters: str | None
    heroes: int


@dataclass(frozen=True)
class HeroRow:
    """A hero, without the secret name."""

    id: int
    name: str
    age: int | None
    team_id: int | None
    team: str | None


@dataclass(frozen=True)
class HeroDetail(HeroRow):
    """A hero with all that is known."""

    secret_name: str


@dataclass(frozen=True)
class TransferRow:
    """A transfer that took place."""

    id: int
    hero_id: int
    hero: str
    from_team_id: int
    from_team: str
    to_team_id: int
    to_team: str
    at: datetime


@dataclass(frozen=True)
class Transferred:
    """How many moves of a file were made, and how many heroes they are of."""

    moves: int
    heroes: int
