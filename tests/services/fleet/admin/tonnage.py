"""`dbctl tonnage`."""

from typing import Annotated

import typer
from sqlmodel import Session, func, select

from ..models import Ship

PANEL = "Fleet"


def tonnage(
    session: Session, least: Annotated[int, typer.Option("--least", metavar="TONS", help="Only ships of so many.")] = 0
) -> int:
    """Add up what all ships can carry.

    Examples:
        $ dbctl tonnage --least 5
    """
    return int(session.exec(select(func.coalesce(func.sum(Ship.tons), 0)).where(Ship.tons >= least)).one())
