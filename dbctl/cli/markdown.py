"""Markdown laid out for a terminal, of those kinds that the manual's pages have."""

import io
import re
from typing import ClassVar

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement, TableElement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from rich.theme import Theme

_WIDEST = 100
"""Columns; longer lines are hard to read."""

_LINK = re.compile(r"\[([^\]]+)\]\(([\w-]+)\.md(?:#[\w-]*)?\)")

# Bold and faint alone: a reader's own colours may be any.
_STYLES = dict.fromkeys(
    [
        *("em", "item.bullet", "item.number", "hr", "link", "link_url", "table.border", "block_quote", "list"),
        *("h1.border", "code_block"),
    ],
    "none",
) | dict.fromkeys(["h1", "h2", "h3", "code", "strong", "table.header"], "bold")


class _Heading(Heading):
    """A heading at the left, as all else is."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = self.text.copy()
        text.justify = "left"
        yield text


class _Code(CodeBlock):
    """Lines as they stand, set in by two; one that is too long goes on in the next."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Padding(Text(str(self.text).rstrip(), overflow="fold"), (0, 0, 0, 2))


class _Table(TableElement):
    """A table without a frame."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for column in self.header.row.cells if self.header and self.header.row else ():
            table.add_column(column.content.copy(), overflow="fold")
        for row in self.body.rows if self.body else ():
            table.add_row(*[cell.content for cell in row.cells])
        yield table


class _Markdown(Markdown):
    elements: ClassVar[dict[str, type[MarkdownElement]]] = Markdown.elements | {
        "heading_open": _Heading,
        "fence": _Code,
        "code_block": _Code,
        "table_open": _Table,
    }


def laid_out(text: str, columns: int, *, styled: bool) -> str:
    """Lay Markdown out for a terminal.

    Args:
        text: The Markdown. A link to another page, which a terminal can't follow, becomes the command that shows it.
        columns: How wide the terminal is.
        styled: Whether headings and the like may be bold.
    """
    out = io.StringIO()
    console = Console(
        file=out,
        width=min(columns, _WIDEST),
        force_terminal=styled,
        color_system="standard" if styled else None,
        legacy_windows=False,
        theme=Theme({f"markdown.{name}": style for name, style in _STYLES.items()}),
    )
    console.print(_Markdown(_LINK.sub(_as_command, text), hyperlinks=False))
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().strip("\n").split("\n"))


def _as_command(link: re.Match[str]) -> str:
    """Return what is typed to see the page that a link leads to."""
    name, topic = link.groups()
    return f"`dbctl help {topic}`" if name == topic else f"{name} (`dbctl help {topic}`)"
