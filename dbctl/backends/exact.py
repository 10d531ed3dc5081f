"""Values that a column keeps as they are, where its database would make others of the rest without a word."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable

from dbctl.records import record

_SINGLE = struct.Struct("f")
_NUMBER = re.compile(r"[+-]?(?=\.?\d)(\d*)(?:\.(\d*))?(?:e[+-]?\d{1,4})?", re.ASCII | re.IGNORECASE)
_MOST_DIGITS = 200
"""Digits of a number that is looked at; no float of 32 bits has more."""

NUMBER_OF_SIX_DIGITS = r"-?+(?:\d{1,6}+(?!\.)|(?=[\d.]{3,7}+(?![\d.]))\d{1,5}+\.\d{1,5}+)"
"""A regular expression of numbers that each float of 32 bits tells apart."""


@record
class Exact:
    """What a column keeps as it is.

    Args:
        reason: Returns what would become of a value; None where it is kept.
        plain: A regular expression of values that are kept for sure, and are values of the column's kind; none of them
            has what separates values in a file.
        text: Instead of it, for texts of whatever characters, what stands behind these: how many, and how they end.
        sign: A regular expression that is found in lines of a file, whose values one of , ; | and tab separates, if any
            value in them is not kept; None where that would be found in most lines.
        alike: Makes one text of all values of which the column keeps the same one; None where nobody but the database
            can say.
    """

    reason: Callable[[str], str | None]
    plain: str | None = None
    text: str | None = None
    sign: str | None = None
    alike: Callable[[str], str] | None = None


def of_seconds(digits: int) -> Callable[[str], str | None]:
    """Return what tells of a time whether it has more digits behind its seconds than so many, that are no zeros."""
    longer = re.compile(rf"(?::\d\d|\d{{6}})\.\d{{{digits}}}\d*[1-9]", re.ASCII)
    return lambda value: f"{digits} of the digits behind its seconds are kept" if longer.search(value) else None


def fraction(digits: int) -> str:
    """Return a regular expression of what may stand behind the seconds of a time: so many digits."""
    return rf"(?:\.\d{{1,{digits}}}+)?+" if digits else r"(?:\.0++)?+"


def of_fraction(digits: int) -> Callable[[str], str | None]:
    """Return what tells of a number whether it has more digits behind the point than so many, that are no zeros."""
    longer = re.compile(rf"\.\d{{{digits}}}\d*[1-9]", re.ASCII)
    return lambda value: f"{digits} of the digits behind the point are kept" if longer.search(value) else None


def of_single(value: str) -> str | None:
    """Tell whether the nearest float of 32 bits is another number, to as many digits as the text has."""
    found = _NUMBER.fullmatch(value)
    if found is None:
        return None  # which is looked at by its kind, or by the database
    number = float(value)
    try:
        (kept,) = _SINGLE.unpack(_SINGLE.pack(number))
    except OverflowError:
        return None  # which the database refuses by itself
    if kept == number:
        return None
    digits = len((found[1] + (found[2] or "")).lstrip("0"))
    text = f"{kept:.{min(digits, _MOST_DIGITS)}g}"
    return None if text == value or _digits(text) == _digits(value) else "a float of 32 bits has fewer digits"


def _digits(number: str) -> tuple[str, int]:
    """Return a number's digits without zeros around them, and the power of ten of the last."""
    mantissa, _, power = number.lstrip("+-").lower().partition("e")
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    kept = digits.rstrip("0")
    return kept, (int(power or "0") - len(part) + len(digits) - len(kept)) if kept else 0
