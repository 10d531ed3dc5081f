"""How a file's name, or an option, tells its format and its compression."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from dbctl.errors import UsageError
from dbctl.records import record

FORMATS: Final = {
    "csv": ("csv",),
    "tsv": ("tsv", "tab"),
    "jsonl": ("jsonl", "ndjson"),
    "json": ("json",),
    "parquet": ("parquet", "pq"),
}
"""The formats, and the endings of the names of files that have them."""

COMPRESSIONS: Final = {"gz": "gzip", "zst": "zstd"}
"""The endings of compressed files, and how those are compressed."""

Said = Literal[
    "csv", "csv.gz", "csv.zst", "tsv", "tsv.gz", "tsv.zst", "jsonl", "jsonl.gz", "jsonl.zst",
    "json", "json.gz", "json.zst", "parquet",
]  # fmt: skip
"""What `--format` can say: a format, and how files of it are compressed."""


@record
class Form:
    """What a file is.

    Args:
        format: csv, tsv, jsonl, json or parquet.
        compression: gzip, zstd or none.
        null: What NULL is in CSV; None for what it is unless that is said.
    """

    format: str = "csv"
    compression: str = "none"
    null: str | None = None

    @property
    def delimited(self) -> bool:
        """Whether it is lines of values, with a header."""
        return self.format in {"csv", "tsv"}

    @property
    def ending(self) -> str:
        """What the name of such a file ends with."""
        return "".join(["." + FORMATS[self.format][0], *(f".{end}" for end in _packed(self.compression))])


def form_of(path: Path | None, format_: str | None = None, null: str | None = None) -> Form:
    """Return what a file is by its name.

    Args:
        path: The file; None for stdout or a directory.
        format_: The format, which goes before the name's; as an ending, so that `csv.gz` is one.
        null: What NULL is in CSV.

    Raises:
        UsageError: The name tells no format, and none is given; or the format can't be told to write NULL so.
    """
    ends = [end.lower() for end in (path.name if path else "").split(".")[1:]]
    said = format_.split(".") if format_ else []
    compression = next((COMPRESSIONS[end] for end in (ends[-1:] or said[1:]) if end in COMPRESSIONS), None)
    if compression is None:
        compression = next((COMPRESSIONS[end] for end in said[1:] if end in COMPRESSIONS), "none")
    plain = ends[:-1] if ends and ends[-1] in COMPRESSIONS else ends
    found = said[0] if said else next((name for name, own in FORMATS.items() if plain and plain[-1] in own), None)
    if found is None and path is not None:
        known = ", ".join(f".{own[0]}" for own in FORMATS.values())
        raise UsageError(f"{path}: its ending tells no format", f"let it be one of {known}, or say --format")
    form = Form(found or "csv", compression, null)
    if null is not None and form.format != "csv":
        raise UsageError(f"--null is about CSV, and {form.format} has a NULL of its own", "leave it out")
    if null is not None and (not null.isprintable() or {'"', ","} & set(null)):
        raise UsageError("--null would have to be quoted, and is no NULL then", "take a word without , and quotes")
    if form.format == "parquet" and form.compression != "none":
        raise UsageError("Parquet compresses by itself", "leave .gz or .zst out")
    return form


def _packed(compression: str) -> list[str]:
    return [end for end, name in COMPRESSIONS.items() if name == compression]
