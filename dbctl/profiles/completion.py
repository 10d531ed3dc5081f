"""Completing the names of profiles in a shell."""

from typing import Any

from dbctl.errors import ConfigError
from dbctl.profiles.document import Document
from dbctl.profiles.fleets import BETWEEN


def complete_profile(ctx: Any, incomplete: str) -> list[str]:
    """Return the names of profiles that begin so, of the file that the line names or that would be found.

    Args:
        ctx: Typer's context of the parameter, which it hands to this name.
        incomplete: What has been typed of the name.
    """
    while ctx.params.get("config") is None and ctx.parent is not None:
        ctx = ctx.parent
    try:
        document = Document.found(ctx.params.get("config"))
    except ConfigError:
        return []  # a file that can't be read has no names to offer, and completion has nowhere to say why
    names = [*document.names(), *(f"{fleet}{BETWEEN}" for fleet in document.fleet)]  # a fleet's rows are not asked for
    return [name for name in names if name.startswith(incomplete)]
