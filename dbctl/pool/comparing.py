"""Two runs side by side, from what `pool-stats --json` has written of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dbctl.errors import ConfigError
from dbctl.records import record

_PARTS = ("limits", "run", "server", "peak", "after")
"""What of a run is compared, in this order."""


@record
class Compared:
    """One figure in two runs; `change` is by how much the second is greater, as a part of the first."""

    figure: str
    a: Any
    b: Any
    change: str | None


def compare(first: Path, second: Path) -> Sequence[Compared]:
    """Return the figures of two runs, those that either has.

    Raises:
        ConfigError: A file can't be read, or holds no run.
    """
    runs = [dict(_figures(_read(path))) for path in (first, second)]
    names = list(dict.fromkeys(name for run in runs for name in run))
    return [
        Compared(name, runs[0].get(name), runs[1].get(name), _change(runs[0].get(name), runs[1].get(name)))
        for name in names
        if runs[0].get(name) is not None or runs[1].get(name) is not None
    ]


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: it is no JSON: {error}", "write it with pool-stats --json") from error
    if not isinstance(found, dict) or not isinstance(found.get("run"), dict):
        raise ConfigError(f"{path}: it holds no run of pool-stats", "write it with pool-stats --json")
    return found


def _figures(found: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for part in _PARTS:
        yield from _flat(part, found.get(part))


def _flat(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}", inner)
    elif not isinstance(value, list):
        yield name, value


def _change(a: Any, b: Any) -> str | None:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (a, b))
    if not numbers or a == b or not a:
        return None
    percent = round(100 * (b - a) / a)
    return f"{percent:+d} %" if percent else None
