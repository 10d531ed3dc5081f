"""The text of each value that a database or a service's function may return, one for all formats.

JSON has numbers, truth and null for what it can; whatever else it has no word for stands there as the same text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from dbctl.results import Values

PLAIN: Final = frozenset({str, int, type(None)})
"""The types whose values every writer takes as they are, None as nothing."""


def text(value: Any) -> str:
    """Return a value as flat formats write it for programs; all of it is there, and None is nothing."""
    write = next((write for kinds, write in _TEXTS if isinstance(value, kinds)), None)
    if write is not None:
        return write(value)
    if is_range(value):
        return _range(value)
    return json.dumps(jsonable(value), ensure_ascii=False) if is_compound(value) else str(value)


def shown(value: Any) -> str:
    """Return a value as people read it: seconds without fractions, measures with three decimals at most."""
    if isinstance(value, Enum):
        return shown(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.3f}".rstrip("0").rstrip(".")
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, list | tuple) and all(isinstance(item, str | int) for item in value):
        return ", ".join(map(shown, value))
    return text(value)


def jsonable(value: Any) -> Any:
    """Return a value as JSON has it: what is no number, truth, text, list or object there becomes its text."""
    if isinstance(value, Enum):
        return jsonable(value.value)
    if value is None or isinstance(value, bool | str | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, Mapping):
        return {text(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(jsonable, value), key=text)
    if is_record(value):
        return {name: jsonable(item) for name, item in _items(value)}
    return [jsonable(item) for item in value] if is_compound(value) else text(value)


def is_compound(value: Any) -> bool:
    """Tell whether a value is made of others, as arrays and JSON documents are."""
    return is_record(value) or isinstance(value, Mapping | list | tuple | set | frozenset)


def is_record(value: Any) -> bool:
    """Tell whether a value is of a declared dataclass, or `Values`, whose fields are values by themselves."""
    return is_dataclass(value) and not isinstance(value, type) and not is_range(value)


def _items(record: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(record, Values):
        return zip(record.columns, record.values, strict=True)
    return ((field.name, getattr(record, field.name)) for field in fields(record))


def is_range(value: Any) -> bool:
    """Tell whether a value is a range, SQLAlchemy's or a driver's; SQLAlchemy's is a dataclass too."""
    return hasattr(value, "lower_inc")


def is_number(value: Any) -> bool:
    """Tell whether a value is a number, whose column is aligned at its right."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def _float(value: float) -> str:
    """Return what Python reads again as the same number, and PostgreSQL's words for what is none."""
    if math.isfinite(value):
        return float.__repr__(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _interval(value: timedelta) -> str:
    """Return hours, minutes and seconds, as MySQL writes a TIME and PostgreSQL takes an INTERVAL."""
    sign, value = ("-", -value) if value < timedelta() else ("", value)
    seconds = value.days * 86_400 + value.seconds
    fraction = f".{value.microseconds:06}" if value.microseconds else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"


def _range(value: Any) -> str:
    """Return a range as PostgreSQL writes it: [1,10), (,5], empty."""
    if getattr(value, "isempty", getattr(value, "empty", False)):
        return "empty"
    first, last = ("[" if value.lower_inc else "("), ("]" if value.upper_inc else ")")
    return f"{first}{text(value.lower)},{text(value.upper)}{last}"


_TEXTS: Sequence[tuple[Any, Callable[[Any], str]]] = (
    (type(None), lambda _: ""),
    (Enum, lambda value: text(value.value)),
    (bool, lambda value: "true" if value else "false"),
    (str, str),
    (float, _float),
    (Decimal, lambda value: f"{value:f}"),  # not 0E-10, which str makes of a NUMERIC's 0.0000000000
    ((datetime, date, time), lambda value: value.isoformat().replace("+00:00", "Z")),
    (timedelta, _interval),
    ((bytes, bytearray, memoryview), lambda value: f"\\x{bytes(value).hex()}"),
)


def texts(values: Sequence[Any]) -> Sequence[Any]:
    """Return a column's values as those `PLAIN` types that stand for their texts."""
    return values if PLAIN.issuperset(map(type, values)) else list(map(_plain, values))


def _plain(value: Any) -> Any:
    return value if type(value) in PLAIN else text(value)
