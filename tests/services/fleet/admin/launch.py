"""`dbctl launch`."""

from typing import Annotated

import typer
from sqlalchemy.ext.asyncio import AsyncSession

from dbctl import writes

from ..models import Ship

PANEL = "Fleet"


@writes()
async def launch(
    session: AsyncSession, name: Annotated[str, typer.Argument(help="The ship's name.")], wreck: bool = False
) -> Ship:
    """Launch a ship.

    Examples:
        $ dbctl launch Argo
    """
    ship = Ship(name=name)
    session.add(ship)
    await session.flush()
    if wreck:
        raise LookupError("no harbour")
    return ship
