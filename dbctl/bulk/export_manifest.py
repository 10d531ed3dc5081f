"""What is in exported files: as it is told, and as a manifest beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from dbctl.records import record

if TYPE_CHECKING:
    from dbctl.bulk.forms import Form
    from dbctl.bulk.reading_out import Moment, Readable

_FORMAT = 1
"""The version of what stands in a manifest."""


@record
class Exported:
    """A file that was written: of which table, its rows, its size in bytes, and how long it took."""

    table: str
    file: str
    rows: int
    bytes: int
    seconds: float
    sha256: str = field(metadata={"table": False})


def manifest_text(moment: Moment, form: Form, exported: Sequence[tuple[Readable, Exported]]) -> str:
    """Return what is told of files beside them, as JSON."""
    backend = moment.backend
    identity = backend.identity(moment.connection)
    found = {
        "dbctl_export": _FORMAT,
        "profile": backend.profile.name,
        "database": identity.database,
        "server": identity.server,
        "version": identity.version,
        "snapshot": moment.at.isoformat(timespec="seconds"),
        "format": form.format,
        "compression": None if form.compression == "none" else form.compression,
        "tables": [
            {
                "table": one.table,
                "file": Path(one.file).name,
                "rows": one.rows,
                "bytes": one.bytes,
                "sha256": one.sha256,
                "columns": {column.name: column.type for column in readable.selection.columns},
            }
            for readable, one in exported
        ],
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
