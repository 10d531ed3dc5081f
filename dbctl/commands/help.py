"""`dbctl help`."""

from collections.abc import Sequence
from typing import Annotated

import typer

from dbctl.errors import UsageError
from dbctl.manual import CommandHelp, Manual, Page, Topic, page, topics

PANEL = "Manual"
PLACE = 90
PAGE = "help"


def _complete_topic(incomplete: str) -> list[tuple[str, str]]:
    return [(topic.topic, topic.about) for topic in topics() if topic.topic.startswith(incomplete)]


def help_(
    manual: Manual,
    topic: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TOPIC",
            help="A page's name, or a command; without it the pages are listed.",
            show_default=False,
            autocompletion=_complete_topic,
        ),
    ] = None,
) -> Sequence[Topic | Page | CommandHelp]:
    """Show a page of the manual, or a command's help.

    A page goes before a command of the same name, whose own help is there with --help. In a pipe a page is Markdown.

    Examples:
        $ dbctl help
        $ dbctl help profiles
        $ dbctl help heroes add
    """
    if not topic:
        return topics()
    name = " ".join(topic)
    found = page(name) or manual.command(name)
    if found is None:
        raise UsageError(f'there is no page and no command "{name}"', _nearest(name, manual.names()))
    return [found]


def _nearest(name: str, known: Sequence[str]) -> str:
    from difflib import get_close_matches  # needed only where something is wrong

    close = get_close_matches(name, known, n=1)
    return f'did you mean "{close[0]}"?' if close else "dbctl help lists the pages"
