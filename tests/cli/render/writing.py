"""Writing a result by one format's own function, and reading it."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from dbctl.cli.render.sheets import sheet_of
from dbctl.results import Rows


def function() -> None:
    """Stand for a command."""


def strictly(document: str) -> Any:
    """Read JSON as RFC 8259 has it; Python by itself would take NaN."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(document, parse_constant=refuse)


def data(*rows: Sequence[Any]) -> Rows[Any]:
    """Return rows with columns that are known only at run time."""
    return Rows([f"c{index}" for index in range(len(rows[0]))], iter(rows))


def written(write: Callable[..., Any], result: Any, *, flat: bool = True, **how: Any) -> str:
    return "".join(write(sheet_of(result, function, {}, flat=flat), **how))
