"""The screen, the pipe or the file that a table is shown on."""

from collections.abc import Callable

from dbctl.cli.report import visible, visible_on_screen
from dbctl.records import record

_BOLD, _DIM, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[0m"

_IN_ASCII = str.maketrans({"→": "->", "·": "/", "≤": "<="})


@record
class Screen:
    """Where a table is shown.

    Args:
        width: Its width in cells, or None where it has no end.
        styled: Whether it is told what is bold.
        ascii_only: Whether it shows no other characters.
    """

    width: int | None
    styled: bool
    ascii_only: bool = False

    @property
    def visible(self) -> Callable[[str], str]:
        """What writes as escapes what a value may not do there."""
        return visible if self.width is None else visible_on_screen

    def rule(self, width: int) -> str:
        """Return a rule below headings."""
        return ("-" if self.ascii_only else "─") * width

    def own(self, text: str) -> str:
        """Return text of the table's own, with what this screen can't show written by other characters."""
        return text.translate(_IN_ASCII) if self.ascii_only else text

    def bold(self, line: str) -> str:
        """Return a line in bold."""
        return f"{_BOLD}{line}{_PLAIN}" if self.styled and line else line

    def dim(self, line: str) -> str:
        """Return a line in a fainter colour."""
        return f"{_DIM}{line}{_PLAIN}" if self.styled and line else line
