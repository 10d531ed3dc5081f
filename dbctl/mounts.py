"""Where commands come from: packages of command modules, mounted one over the other. Nothing here imports them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Mount:
    """A package of command modules: one module a command, one package a group of them.

    Args:
        package: Its dotted name.
        panel: The heading under which help lists its commands; where it is None each module says its own.
        models: The modules whose tables serve where a profile names none.
        key: The profile file's key that takes the commands away where it is false.
    """

    package: str
    panel: str | None = None
    models: tuple[str, ...] = ()
    key: str | None = None


OWN = Mount("dbctl.commands")
SAMPLE = Mount("dbctl.sample.commands", "Sample", ("dbctl.sample.models",), "sample")

MOUNTS = (OWN, SAMPLE)
"""All that there are; where two have a command of the same name the first has it."""
