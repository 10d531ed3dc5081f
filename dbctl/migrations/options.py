"""The options that commands on migrations have in common."""

from typing import Annotated

import typer

X = Annotated[
    list[str] | None,
    typer.Option("-x", metavar="KEY=VALUE", help="What env.py asks for by context.get_x_argument(); may repeat."),
]
AsSql = Annotated[bool, typer.Option("--sql", help="Show the SQL for somebody else to run, and connect to nothing.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with a revision that has been done in part.")]
