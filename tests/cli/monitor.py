"""What a monitor reads: the file of a job's metrics by Prometheus' own parser, and events as objects."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.harness.result import Result

SLOW = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
"""A query without an end."""

ALWAYS = {
    f"dbctl_last_{name}"
    for name in (
        *("run_timestamp_seconds", "success_timestamp_seconds", "run_duration_seconds"),
        *("run_exit_code", "run_retries"),
    )
}


def metrics(path: Path) -> tuple[Mapping[str, float], Mapping[str, str]]:
    """Return the values in a job's file by what follows `dbctl_last_` in their names, and the labels of them all."""
    families = list(text_string_to_metric_families(path.read_text(encoding="utf-8")))
    assert {family.type for family in families} == {"gauge"}
    assert all(family.documentation for family in families)
    samples = [sample for family in families for sample in family.samples]
    assert {sample.name for sample in samples} >= ALWAYS
    (labels,) = {tuple(sorted(sample.labels.items())) for sample in samples}
    return {sample.name.removeprefix("dbctl_last_"): sample.value for sample in samples}, dict(labels)


def events(result: Result) -> list[dict[str, Any]]:
    """Return what a run said, all of which are objects, each in a line."""
    return [json.loads(line) for line in result.err.splitlines()]
