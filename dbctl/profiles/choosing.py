"""Several profiles at once: by their names, by patterns of names, by tags, or all that the file has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from dbctl.errors import ConfigError
from dbctl.profiles.document import Document
from dbctl.profiles.words import nearest


@dataclass(frozen=True)
class Wanted:
    """Which profiles are wanted.

    Args:
        names: Their names, or patterns such as `shard-*`.
        tags: Words of which a profile's key `tags` has one.
        every: Whether all that the file has are.
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


def chosen(document: Document, wanted: Wanted) -> list[str]:
    """Return the names of the profiles that are wanted, each once: in the order of the file, those by name first.

    Raises:
        ConfigError: None has a name, matches a pattern, or has a tag.
    """
    found = [name for each in wanted.names for name in _called(document, each)]
    found += [name for tag in wanted.tags for name in _tagged(document, tag)]
    if wanted.every:
        found += document.profiles
    if not found:
        raise ConfigError("--all: there is no profile file, or it has no profiles", "add one with dbctl profiles add")
    return list(dict.fromkeys(found))


def _called(document: Document, name: str) -> Sequence[str]:
    if name in document.profiles or not is_pattern(name):
        return [name]  # whoever selects it says whether there is one
    if found := [each for each in document.profiles if fnmatchcase(each, name)]:
        return found
    raise ConfigError(f"--profile {name}: no profile's name is like that", nearest(name, document.profiles))


def _tagged(document: Document, tag: str) -> Sequence[str]:
    shared = _tags(document.defaults)
    tagged = {name: _tags(table) if "tags" in table else shared for name, table in document.profiles.items()}
    if found := [name for name, tags in tagged.items() if tag in tags]:
        return found
    known = dict.fromkeys(each for tags in tagged.values() for each in tags)
    raise ConfigError(f"--tag {tag}: no profile has this tag", nearest(tag, known))


def _tags(table: Mapping[str, Any]) -> Sequence[str]:
    """Return a table's tags.

    Raises:
        ConfigError: They are none.
    """
    said = table.get("tags", [])
    if not isinstance(said, list) or not all(isinstance(each, str) for each in said):
        raise ConfigError(f'tags = {said!r}: allowed is a list of words, such as ["tenant"]')
    return said
