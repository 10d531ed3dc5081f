"""The options by which a command is told where a service's models are."""

from typing import Annotated

import typer

Models = Annotated[
    list[str] | None,
    typer.Option(
        "--models",
        metavar="MODULE",
        help="A module that defines tables, or a package with all its modules that do; may be repeated.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="MODULE", help="A module of a package to leave alone, or a pattern; may repeat."),
]
AppDir = Annotated[
    str | None,
    typer.Option("--app-dir", metavar="DIR", help="Where the modules are imported from.", show_default=False),
]
