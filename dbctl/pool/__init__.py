"""A connection pool at work: measured under a load of dbctl's own, and counted inside a service.

    recorder = dbctl.pool.observe(engine)       on any SQLAlchemy engine: counts, times, who holds a connection
    with dbctl.pool.labelled("nightly"): …      and what for
    dbctl.pool.export(recorder)                 as OpenTelemetry's metrics

Each name is loaded when it is first used (PEP 562): what measures needs no SQLAlchemy to be told of.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbctl.pool.histograms import Histogram
    from dbctl.pool.places import labelled
    from dbctl.pool.recorder import Recorder, observe
    from dbctl.pool.snapshots import Snapshot, merged
    from dbctl.pool.telemetry import export

_HOMES = {
    "Histogram": "dbctl.pool.histograms",
    "Recorder": "dbctl.pool.recorder",
    "Snapshot": "dbctl.pool.snapshots",
    "export": "dbctl.pool.telemetry",
    "labelled": "dbctl.pool.places",
    "merged": "dbctl.pool.snapshots",
    "observe": "dbctl.pool.recorder",
}

__all__ = ["Histogram", "Recorder", "Snapshot", "export", "labelled", "merged", "observe"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value
