"""What an index of the source is, as SQLAlchemy reflects it: columns in their order, or more than that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def options_of(index: Any) -> Mapping[str, Any]:
    """Return what is said of an index beside its columns, without the dialect's name before it."""
    return {key.partition("_")[2]: value for key, value in index.get("dialect_options", {}).items() if value}


def oddness(index: Any, columns: Collection[str]) -> str:
    """Return what an index is more than columns in their order, in a few words; "" where it is not.

    Args:
        index: The index. Columns that it includes, and does not sort by, are no oddness.
        columns: The columns that are copied.
    """
    said = options_of(index)
    if method := said.get("using") or said.get("prefix"):
        return f"a {str(method).lower()} index"
    if "where" in said:
        return "which is partial"
    if "length" in said:
        return "which is of the beginning of a text"
    if "nulls_not_distinct" in said:
        return "to which NULLs are the same"
    if None in index["column_names"]:
        return "which is of an expression"
    lacking = [name for name in index["column_names"] if name not in columns]
    return f"for {lacking[0]} is not copied" if lacking else ""
