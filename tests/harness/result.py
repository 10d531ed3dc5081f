"""What a run of dbctl left behind."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_ESCAPES = re.compile(
    r"""\x1b\[ [0-?]* [ -/]* [@-~]         # colours, movements: ECMA-48's control sequences
    | \x1b\] .*? (?: \x07 | \x1b\\ )       # titles, links
    | \x1b [ -/]* [0-~]                    # the short ones""",
    re.VERBOSE | re.DOTALL,
)

_NAMED = re.compile(r"\Adbctl: (?:profile \S+|--url|DBCTL_URL): (?!.*failed)[^\n]*\n")


def _for_people(line: str) -> str:
    """Return a line of the standard error, of an error's object what a person is told in its place."""
    if not line.startswith('{"time": '):
        return line
    error = json.loads(line)
    said = "; ".join(filter(None, [error["message"], error["hint"]]))
    return f"dbctl: {said}\n" if error["type"] in {"Interrupted", "Terminated"} else f"dbctl: error: {said}\n"


@dataclass(frozen=True)
class Result:
    """The exit code and the output of one run.

    A run that a signal ended has the signal's negative number as its code, as in `subprocess`. Outputs are exactly what
    was written, except that on a terminal the line ends are as dbctl wrote them, without the terminal's own addition.
    """

    code: int
    out: str
    err: str
    args: Sequence[str]

    @property
    def talk(self) -> str:
        """The standard error as a person would read it, where results are JSON too.

        It is without its first line where that names the database that is about to be written.
        """
        return _NAMED.sub("", "".join(map(_for_people, self.err.splitlines(keepends=True))))

    @property
    def json(self) -> Any:
        """The standard output, read as one JSON document."""
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise AssertionError(f"standard output is not JSON ({error})\n{self}") from None

    @property
    def lines(self) -> list[str]:
        """The lines of the standard output, ended by line feeds and nothing else."""
        return self.out.removesuffix("\n").split("\n") if self.out else []

    @property
    def rows(self) -> list[dict[str, str]]:
        """The standard output, read as tab-separated text below a header; what is escaped in it stays so."""
        if not self.lines:
            return []
        header, *rest = [line.split("\t") for line in self.lines]
        for cells in rest:
            assert len(cells) == len(header), f"{len(cells)} cells below {len(header)} names: {cells}\n{self}"
        return [dict(zip(header, cells, strict=True)) for cells in rest]

    @property
    def plain(self) -> str:
        """The standard output without terminal escapes."""
        return _ESCAPES.sub("", self.out)

    def __str__(self) -> str:
        return f"dbctl {' '.join(self.args)}\nexit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"
