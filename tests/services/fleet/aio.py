"""Async functions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from sqlmodel import Session, func, insert, select

from .models import Ship

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession


async def add(session: AsyncSession, name: str = "Aeolus") -> Ship:
    """Add a ship."""
    ship = Ship(name=name)
    session.add(ship)
    await session.flush()
    return ship


async def fail(session: AsyncSession) -> None:
    """Add a ship, and fail."""
    session.add(Ship(name="Ghost"))
    await session.flush()
    raise LookupError("no harbour")


async def commit(session: AsyncSession) -> None:
    """Commit by itself."""
    session.add(Ship(name="Committed"))
    await session.commit()
    session.add(Ship(name="After"))


async def names(session: AsyncSession) -> AsyncIterator[str]:
    """Yield."""
    for ship in (await session.execute(select(Ship).order_by(Ship.name))).scalars():
        print("talk")
        yield ship.name


async def on_a_connection(connection: AsyncConnection, commits: bool = False) -> int:
    """Add a ship, and count them."""
    await connection.execute(insert(Ship).values(name="Linked", tons=1))
    if commits:
        await connection.commit()
    return (await connection.execute(select(func.count()).select_from(Ship))).scalar_one()


async def on_an_engine(engine: AsyncEngine) -> str:
    """Use two connections of an engine, each with a transaction of its own."""
    async with engine.begin() as one:
        await one.execute(insert(Ship).values(name="Engine", tons=1))
    async with engine.connect() as another:
        return (await another.execute(select(Ship.name))).scalar_one()


async def on_a_session(session: Session) -> str:
    """Have a session that is none of asyncio's."""
    await asyncio.sleep(0)
    session.add(Ship(name="Sync"))
    return "added"


async def sleeps(session: AsyncSession) -> None:
    """Take long."""
    session.add(Ship(name="Sleeper"))
    await session.flush()
    print("sleeping", flush=True)
    try:
        await asyncio.sleep(60)
    finally:
        print("woken", flush=True)
