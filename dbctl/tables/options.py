"""The options by which a command is told where a service's models are."""

from typing import Annotated

import typer

Models = Annotated[
    list[str] | None,
    typer.Option("--models", metavar="MODULE", help="A module that defines tables; may be repeated."),
]
AppDir = Annotated[str, typer.Option("--app-dir", metavar="DIR", help="Where the modules are imported from.")]
