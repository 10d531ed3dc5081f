"""How a job ended, as a file for the textfile collector of Prometheus' node_exporter: a file is one job.

The format is https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format, version 0.0.4. The
collector takes files in turn, and gives up on a scrape in which two have the same series, or say another HELP of a
metric: so each series has the file's name, and what HELP says never differs.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from dbctl.cli.outcome import Outcome
from dbctl.errors import ConfigError, UsageError

SUFFIX = ".prom"
"""What a file's name ends with that the collector reads."""

_MEANINGS = {
    "last_run_timestamp_seconds": "When the job last ended, as Unix time.",
    "last_success_timestamp_seconds": "When the job last ended with its work done, as Unix time; 0 if it never did.",
    "last_run_duration_seconds": "How long the job's last run took.",
    "last_run_exit_code": "The exit code of the job's last run.",
    "last_run_rows": "Rows that the job's last run returned or changed.",
    "last_run_retries": "How often the work of the job's last run was run again.",
}
_BEGINNING = f"# HELP dbctl_{next(iter(_MEANINGS))} "
_SERIES = re.compile(r"^dbctl_last_success_timestamp_seconds\{(.*)\} (\d+(?:\.\d+)?)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPES = {"\\": r"\\", '"': r"\"", "\n": r"\n"}
_MOST = 65_536
"""Bytes that are read of a file; what dbctl writes is a few lines."""


def check(said: str) -> None:
    """Check that metrics can be written to a file, before anything is done.

    Raises:
        UsageError: The collector would not read it.
        ConfigError: It can't be written, or holds something else.
    """
    path = _path(said)
    if not os.path.basename(said).endswith(SUFFIX):
        raise UsageError(
            f"--metrics {said}: the collector reads only files *{SUFFIX}", f"name one, such as job{SUFFIX}"
        )
    directory = path.parent
    if not directory.is_dir():
        raise ConfigError(f"--metrics {said}: there is no directory {directory}", "create it; nothing was run")
    if not os.access(directory, os.W_OK | os.X_OK):
        message = f"--metrics {said}: {directory} can't be written, where a new file takes the old one's place"
        raise ConfigError(message, "nothing was run")
    try:
        found = path.is_file() or not path.exists()
        if not found or (path.exists() and not os.access(path, os.W_OK)):
            raise ConfigError(f"--metrics {said}: it is {'read-only' if found else 'no file'}", "nothing was run")
        _before(path)
    except OSError as error:
        raise ConfigError(f"--metrics {said}: it can't be read: {error.strerror}", "nothing was run") from error
    except ValueError as error:
        raise ConfigError(f"--metrics {said}: {error}", "name another; nothing was run") from error


def write(said: str, outcome: Outcome, code: int) -> str:
    """Write how a job ended; the time of its last success stays unless this is one.

    Args:
        said: The file.
        outcome: What is known of it.
        code: Its exit code.

    Returns:
        Whose metrics these were before, where that was another job's.

    Raises:
        OSError: It can't be written.
        ValueError: It holds something else.
    """
    from dbctl.runtime.replacing import replace_whole

    path = _path(said)
    labels, success = _before(path)
    whose = _other(labels, outcome)
    now = time.time()
    values = {
        "last_run_timestamp_seconds": now,
        "last_success_timestamp_seconds": now if outcome.word(code) == "done" else 0.0 if whose else success,
        "last_run_duration_seconds": outcome.seconds,
        "last_run_exit_code": code,
        "last_run_rows": outcome.rows,
        "last_run_retries": outcome.retries,
    }
    named = {"command": _escaped(outcome.command), "profile": _escaped(outcome.profile)}
    if not outcome.started:
        named |= labels  # what was refused may not have come to its words, and is the same job
    named["task"] = _escaped(os.path.basename(said).removesuffix(SUFFIX))  # its own, also where it is another's copy
    replace_whole(path, "".join(_lines(values, named)).encode(), 0o644)
    return whose


def _path(said: str) -> Path:
    """Return the file that is meant: where a symbolic link is named, what it leads to."""
    return Path(os.path.realpath(said))


def _before(path: Path) -> tuple[dict[str, str], float]:
    """Return the labels and the last success that a file holds, or none and 0 where it is new or empty.

    Raises:
        ValueError: It is not dbctl's.
        OSError: It can't be read.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST).decode(errors="replace")
    except FileNotFoundError:
        return {}, 0.0
    if text.strip() and not text.startswith(_BEGINNING):
        raise ValueError("it holds something else than the metrics of a job of dbctl's")
    found = _SERIES.search(text)
    return (dict(_LABEL.findall(found[1])), float(found[2])) if found else ({}, 0.0)


def _other(labels: dict[str, str], outcome: Outcome) -> str:
    """Return whose metrics a file held, if that is another job; "" where one of them may not have come to its words."""
    command, profile = labels.get("command", ""), labels.get("profile", "")
    same_profile = "" in {profile, outcome.profile} or profile == _escaped(outcome.profile)
    if not outcome.started or (_escaped(outcome.command).startswith(command) and same_profile):
        return ""
    return f"{command} on {profile}" if profile else command


def _lines(values: dict[str, float | None], labels: dict[str, str]) -> Iterator[str]:
    named = ",".join(f'{name}="{labels[name]}"' for name in ("task", "command", "profile"))
    for name, value in values.items():
        if value is not None:
            figures = f"{value:.3f}" if isinstance(value, float) else value
            yield f"# HELP dbctl_{name} {_MEANINGS[name]}\n# TYPE dbctl_{name} gauge\n"
            yield f"dbctl_{name}{{{named}}} {figures}\n"


def _escaped(value: str) -> str:
    value = value.encode(errors="backslashreplace").decode()  # a file's name may be no UTF-8
    return "".join(_ESCAPES.get(character, character) for character in value)
