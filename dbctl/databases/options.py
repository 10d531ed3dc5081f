"""The options by which a server is reached. Light, so that reading a command's help loads nothing."""

from typing import Annotated

import typer

Maintenance = Annotated[
    str | None,
    typer.Option(
        "--maintenance-database",
        metavar="NAME",
        help="Connect to it while the other is not there; on PostgreSQL postgres, or template1, unless said.",
    ),
]
