"""The pages of `dbctl help TOPIC`: Markdown, one a topic, shipped with the package so that they are read offline.

A page is one file beside this one. Its first line is its name and what it is about: `# locks: let one run …`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.resources import files
from typing import TYPE_CHECKING

from dbctl.records import record
from dbctl.results import Markdown, PlainText

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_SUFFIX = ".md"


@record
class Topic:
    """A page, and what it is about."""

    topic: str
    about: str


@record
class Page(Markdown):
    """A page with all that it says, in Markdown."""

    topic: str
    about: str
    text: str

    def __str__(self) -> str:
        return self.text.rstrip("\n")


@record
class CommandHelp(PlainText):
    """What a command's --help shows."""

    command: str
    text: str

    def __str__(self) -> str:
        return self.text.rstrip("\n")


@record
class Manual:
    """The pages, and the help of the commands that are there.

    Args:
        commands: Returns the commands, as they are typed: `heroes`, `heroes add`.
        help_of: Returns what the --help of one of them shows.
    """

    commands: Callable[[], Iterable[str]]
    help_of: Callable[[Sequence[str]], str]

    def command(self, name: str) -> CommandHelp | None:
        """Return the help of a command, or None where there is none.

        Args:
            name: The command as it is typed: `heroes add`.
        """
        return CommandHelp(name, self.help_of(name.split())) if name in self.commands() else None

    def names(self) -> list[str]:
        """Return all that can be asked for, by name: the pages, and the commands."""
        return sorted({*_pages(), *self.commands()})


def topics() -> list[Topic]:
    """Return what pages there are, by name."""
    return [Topic(name, _about(path)) for name, path in _pages().items()]


def page(topic: str) -> Page | None:
    """Return a page by its name, or None where there is none."""
    path = _pages().get(topic)
    return Page(topic, _about(path), path.read_text(encoding="utf-8")) if path else None


def _pages() -> dict[str, Traversable]:
    found = {path.name.removesuffix(_SUFFIX): path for path in files(__name__).iterdir() if path.name.endswith(_SUFFIX)}
    return dict(sorted(found.items()))


def _about(path: Traversable) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().partition(": ")[2].strip()
