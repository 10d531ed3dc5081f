"""Several profiles at once: by their names, by patterns of names, by tags, or all that there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from dbctl.errors import ConfigError
from dbctl.profiles.fleets import BETWEEN
from dbctl.profiles.words import nearest, no_profile
from dbctl.records import record

if TYPE_CHECKING:
    from dbctl.profiles.discovery import Profiles

_TOLD = 20
"""How many names are listed to one who has named none of them."""


@record
class Wanted:
    """Which profiles are wanted.

    Args:
        names: Their names, or patterns such as `shard-*`.
        tags: Words of which a profile's key `tags` has one.
        every: Whether all are: the file's, and those of its fleets.
    """

    names: Sequence[str] = ()
    tags: Sequence[str] = ()
    every: bool = False

    @property
    def are_several(self) -> bool:
        """Whether they are rows of a result, even where it is just one."""
        return self.every or bool(self.tags) or len(self.names) > 1 or any(map(is_pattern, self.names))


def is_pattern(name: str) -> bool:
    """Tell whether a name stands for others."""
    return any(sign in name for sign in "*?[")


def chosen(profiles: Profiles, wanted: Wanted) -> list[str]:
    """Return the names of the profiles that are wanted, each once: in the order of the file, those by name first.

    A template of a fleet is wanted only by its name. The rows of a fleet are asked for where a pattern with a slash
    may name them, and for tags and all.

    Raises:
        ConfigError: None has a name, matches a pattern, or has a tag; or the rows of a fleet can't be had.
        ConnectError: The profile that is asked for rows can't be reached.
    """
    document = profiles.document
    found = [name for each in wanted.names for name in _called(profiles, each)]
    found += [name for tag in wanted.tags for name in _tagged(profiles, tag)]
    if wanted.every:
        found += [*document.members(), *(name for fleet in document.fleet.values() for name in profiles.rows(fleet))]
    if not found:
        raise ConfigError("--all: there is no profile file, or it has no profiles", "add one with dbctl profiles add")
    return list(dict.fromkeys(found))


def app_dir_of_several(profiles: Profiles, name: str | None) -> str | None:
    """Return where modules are imported from for profiles that are a pattern's, or rows that nobody has asked for yet.

    Args:
        profiles: All that there are.
        name: The pattern, or the row's name; None where all are meant, or a tag.
    """
    from dbctl.profiles.layers import layer_from_table

    document = profiles.document
    fleet = document.fleet_of(name or "")
    one = fleet.template if fleet else next((each for each in document.profiles if fnmatchcase(each, name or "*")), "")
    tables = [document.profiles.get(one, {}), document.defaults, {"app_dir": document.imports_from(profiles.path)}]
    said = next(filter(None, (table.get("app_dir") for table in tables)), None)
    if said is None or profiles.path is None:
        return None
    try:
        layer = layer_from_table({"app_dir": said}, str(profiles.path), profiles.path.parent, profiles.environ)
    except ConfigError:
        return None
    return str(layer.values["app_dir"])


def _called(profiles: Profiles, name: str) -> Sequence[str]:
    document = profiles.document
    if "://" in name and name not in document.profiles:
        raise no_profile(name, "", ())
    if name in document.profiles or not is_pattern(name):
        return [name]  # whoever selects it says whether there is one
    known = document.members()
    of_fleet, between, _ = name.partition(BETWEEN)
    for fleet in document.fleet.values() if between else ():
        if fnmatchcase(fleet.name, of_fleet):
            known += profiles.rows(fleet)
    if found := [each for each in known if fnmatchcase(each, name)]:
        return found
    patterns = [fleet.pattern for fleet in document.fleet.values()]
    raise ConfigError(f"--profile {name}: no profile's name is like that", nearest(name, [*known, *patterns][:_TOLD]))


def _tagged(profiles: Profiles, tag: str) -> Sequence[str]:
    document = profiles.document
    shared = _tags(document.defaults)
    tagged = {name: _tags(document.profiles[name], shared) for name in document.members()}
    for fleet in document.fleet.values():
        template = _tags(document.profiles.get(fleet.template, {}), shared)
        tagged |= {name: _tags(row, template) for name, row in profiles.rows(fleet).items()}
    if found := [name for name, tags in tagged.items() if tag in tags]:
        return found
    known = dict.fromkeys(each for tags in tagged.values() for each in tags)
    raise ConfigError(f"--tag {tag}: no profile has this tag", nearest(tag, known))


def _tags(table: Mapping[str, Any], otherwise: Sequence[str] = ()) -> Sequence[str]:
    """Return a table's tags, or those of what it is laid over.

    Raises:
        ConfigError: They are none.
    """
    said = table.get("tags", list(otherwise))
    if not isinstance(said, list) or not all(isinstance(each, str) for each in said):
        raise ConfigError(f'tags = {said!r}: allowed is a list of words, such as ["tenant"]')
    return said
