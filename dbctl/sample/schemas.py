"""What the sample service takes and gives as JSON. A secret name goes in, and never comes out.

What comes out is not held to the limits of what goes in: the database may hold what was written past the service.
"""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError

from dbctl.sample.lookup import LARGEST_ID

Id = Annotated[int, Field(examples=[1])]
Age = Annotated[int, Field(description="In years.", examples=[16])]
HeroName = Annotated[str, Field(description="Several heroes may have the same.", examples=["Spider-Boy"])]
SecretName = Annotated[str, Field(description="The name behind the mask.", examples=["Pedro Parqueador"])]
TeamName = Annotated[str, Field(description="No two teams have the same.", examples=["Preventers"])]
Headquarters = Annotated[str, Field(description="Where the team is.", examples=["Sharp Tower"])]

# PostgreSQL stores no NUL, and no database a longer text than its column holds.
_TEXT = Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")
_NUMBER = Field(ge=0, le=LARGEST_ID)


class _Given(BaseModel):
    """Base of what is taken: a field that is not known is refused, not passed over."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("age", "team_id", "hero_id", "from_team_id", "to_team_id", mode="before", check_fields=False)
    @classmethod
    def _refuse_other_types(cls, value: object) -> object:
        # For a number pydantic would take true as 1, and text that looks like one.
        if isinstance(value, bool | str):
            raise PydanticCustomError("number_type", "Input should be a number, not true, false or text")
        return value


class HeroCreate(_Given):
    """A hero to add."""

    name: Annotated[HeroName, _TEXT]
    secret_name: Annotated[SecretName, _TEXT]
    age: Annotated[Age, _NUMBER] | None = None
    team_id: Annotated[Id, _NUMBER] | None = None


class HeroUpdate(_Given):
    """What is to change of a hero; what is not named stays. A hero in a team moves by a transfer."""

    # Each may be left out, and none but the age may be null: OpenAPI shows no default that is made when it is needed.
    name: Annotated[HeroName, _TEXT] = Field(default_factory=str)
    secret_name: Annotated[SecretName, _TEXT] = Field(default_factory=str)
    age: Annotated[Age, _NUMBER] | None = Field(default_factory=lambda: None)
    team_id: Annotated[Id, _NUMBER] = Field(default_factory=int)


class HeroPublic(BaseModel):
    """A hero as everybody may see one."""

    id: Id
    name: HeroName
    age: Age | None
    team_id: Id | None
    team: TeamName | None


class TeamCreate(_Given):
    """A team to add."""

    name: Annotated[TeamName, _TEXT]
    headquarters: Annotated[Headquarters, _TEXT] | None = None


class TeamPublic(BaseModel):
    """A team, and how many heroes are in it."""

    id: Id
    name: TeamName
    headquarters: Headquarters | None
    heroes: Annotated[int, Field(examples=[3])]


class TransferCreate(_Given):
    """A hero's move from one team to another."""

    hero_id: Annotated[Id, _NUMBER]
    from_team_id: Annotated[Id, _NUMBER]
    to_team_id: Annotated[Id, _NUMBER, Field(examples=[2])]


class TransferPublic(BaseModel):
    """A transfer that took place."""

    id: Id
    hero_id: Id
    hero: HeroName
    from_team_id: Id
    from_team: TeamName
    to_team_id: Annotated[Id, Field(examples=[2])]
    to_team: Annotated[TeamName, Field(examples=["Z-Force"])]
    at: datetime
