"""Drift in a fleet: the schemas of many databases held against one of them, or each against its models."""

from __future__ import annotations

import logging
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Literal

from dbctl.backends import backend_of
from dbctl.catalog.schemas import parts_of
from dbctl.catalog.variants import Change, Group, Variants, whole
from dbctl.connections.connector import opened
from dbctl.errors import CheckFailed, ConfigError, DbctlError, Remedy, UsageError, worst_of
from dbctl.fleet import Several, listed, on_each
from dbctl.profiles.model import called
from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection, MetaData

    from dbctl.backends.base import Backend
    from dbctl.profiles import Profile

_log = logging.getLogger("dbctl")

_NAMED = 3
"""How many of those that are alike are named to a person."""


@record
class FleetDrift:
    """One thing in which a profile, and the others that are like it, differ; or that it can't be looked at, and why.

    `profile` is the first of them, `alike` how many they are, `profiles` all of them. `part` is which part of the
    table, `table` for all of it. `code` is the exit code that an error of this profile has alone.
    """

    profile: str
    alike: int
    table: str | None
    part: str | None
    drift: Literal["missing", "extra", "differs", "unknown"]
    reference: str | None
    found: str | None
    code: int | None = field(metadata={"table": False})
    profiles: Sequence[str] = field(metadata={"table": False})
    error: str | None = field(default=None, metadata={"across": True})


def fleet_drift(
    several: Several,
    *,
    reference: str | None = None,
    models: Callable[[Profile], Sequence[MetaData]] | None = None,
    ignore: Sequence[str] = (),
    own_schema: bool = False,
) -> Sequence[FleetDrift]:
    """Hold the schemas of databases against each other, and return nothing where all are the same.

    Args:
        several: Their profiles.
        reference: The name of the one that the others are held against; that which most are like unless given.
        models: Returns what the models of a profile declare, where each is held against those instead.
        ignore: Patterns of the names of tables, types and sequences that are left alone.
        own_schema: Whether only the schema is looked at that names without one lead to.

    Raises:
        CheckFailed: Some differ; `result` says in what. The error of one that can't be looked at goes before it.
        UsageError: They are of several databases, whose words can't be held against each other.
    """
    variants, against_models = Variants(), _HeldAgainstModels()
    declared = _Declared(models) if models else None
    names = list(dict.fromkeys([*([reference] if reference else []), *several.names]))

    def look(name: str) -> None:
        profile = several.select(name)
        with opened(profile) as connector, connector.engine.connect() as connection:
            if declared is not None:
                against_models.add(name, _against(connection, connector.backend, declared.by(profile), ignore))
            else:
                connector.backend.begin_strictly(connection, writes=False)
                variants.add(name, parts_of(connection, connector.backend, ignore, own_schema=own_schema))

    if models is None:
        _refuse_several_kinds(names, several.select)
    with warnings.catch_warnings():  # of what SQLAlchemy does not know: here it is only held against the same
        warnings.simplefilter("ignore")
        outcomes = on_each(names, look, several.at_a_time)
    failed = {outcome.name: outcome.error for outcome in outcomes if outcome.error}
    if reference in failed:
        raise _without_remedy(failed[reference])
    groups = variants.groups(names, reference) if models is None else against_models.groups(names)
    return _told(groups, failed, several.code_of, against_models=models is not None)


def _against(
    connection: Connection, backend: Backend, metadata: Sequence[MetaData], ignore: Sequence[str]
) -> tuple[Change, ...]:
    from dbctl.drift.comparison import differences

    found = differences(connection, backend, metadata, ignore)
    return tuple(Change((each.table, each.part), each.models, each.database) for each in found)


class _Declared:
    """What models declare, which many profiles have in common: they are imported once."""

    def __init__(self, models: Callable[[Profile], Sequence[MetaData]]) -> None:
        self._models, self._lock = models, threading.Lock()
        self._known: dict[object, Sequence[MetaData]] = {}

    def by(self, profile: Profile) -> Sequence[MetaData]:
        """Return what the models of a profile declare."""
        key = (profile.models, profile.exclude, profile.app_dir)
        with self._lock:
            if key not in self._known:
                self._known[key] = self._models(profile)
            return self._known[key]


class _HeldAgainstModels:
    """Databases by what each differs in from its models."""

    def __init__(self) -> None:
        self._names: dict[tuple[Change, ...], list[str]] = defaultdict(list)

    def add(self, name: str, found: tuple[Change, ...]) -> None:
        """Add one, with what it differs in."""
        self._names[found].append(name)

    def groups(self, order: Sequence[str]) -> list[Group]:
        """Return the groups: first those that are as their models, be they none."""
        places = {name: place for place, name in enumerate(order)}
        groups = [Group(sorted(names, key=places.__getitem__), changes) for changes, names in self._names.items()]
        same = [group for group in groups if not group.changes] or [Group((), ())]
        return same + sorted((group for group in groups if group.changes), key=lambda group: places[group.names[0]])


def _refuse_several_kinds(names: Sequence[str], select: Callable[[str], Profile]) -> None:
    kinds: dict[str, list[str]] = defaultdict(list)
    for name in names:
        try:
            kinds[backend_of(select(name)).title].append(name)
        except ConfigError:
            continue  # it is told when it is looked at
    if len(kinds) > 1:
        said = "; ".join(f"{title} ({_listed(some)})" for title, some in kinds.items())
        raise UsageError(f"these are of several databases, which use other words: {said}", "name those of one")


def _told(
    groups: Sequence[Group],
    failed: Mapping[str, DbctlError],
    code_of: Callable[[DbctlError], int],
    *,
    against_models: bool,
) -> Sequence[FleetDrift]:
    """Say which are alike, and return or raise in what the others differ."""
    same = groups[0].names if groups else ()
    title = "the models" if against_models or not same else same[0]
    if same:
        _log.info("%s as %s: %s", _profiles(len(same)), title, _listed(same))
    for group in groups[1:]:
        count = sum(1 for _ in whole(group.changes))
        differences = f"{count} difference{'' if count == 1 else 's'}"
        _log.info("%s alike: %s: %s", _profiles(len(group.names)), _listed(group.names), differences)
    rows = [row for group in groups[1:] for row in _rows(group)]
    rows += [
        FleetDrift(name, 1, None, None, "unknown", None, None, code_of(error), [name], _said(name, error))
        for name, error in failed.items()
    ]
    if not rows:
        return []
    differing = sum(len(group.names) for group in groups[1:])
    total, verb = len(same) + differing + len(failed), "differs" if differing == 1 else "differ"
    parts = [f"{_profiles(differing)} of {total} {verb} from {title}"] if differing else []
    by_code: dict[int, list[str]] = defaultdict(list)
    for name, error in failed.items():
        by_code[code_of(error)].append(name)
    parts += [f"{_listed(names)} can't be looked at (exit code {code})" for code, names in by_code.items()]
    raise worst_of([*failed.values(), *[CheckFailed("")] * bool(differing)], "; ".join(parts), rows)


def _without_remedy(error: DbctlError) -> DbctlError:
    """Return the error of one without what would be done on all that are named, and only helps that one."""
    if isinstance(error.hint, Remedy):
        error.hint = ""
    return error


def _rows(group: Group) -> Iterator[FleetDrift]:
    for each in whole(group.changes):
        drift: Literal["missing", "extra", "differs"] = "differs"
        if each.found is None:
            drift = "missing"
        elif each.reference is None:
            drift = "extra"
        table, part = each.part
        is_whole = part == "table" and drift != "differs"
        reference, found = (None, None) if is_whole else (each.reference, each.found)
        yield FleetDrift(group.names[0], len(group.names), table, part, drift, reference, found, None, [*group.names])


def _said(name: str, error: DbctlError) -> str:
    return str(error).removeprefix(f"{called(name)}: ")


def _profiles(count: int) -> str:
    return f"{count} profile{'' if count == 1 else 's'}"


def _listed(names: Sequence[str]) -> str:
    return listed(names, _NAMED)
