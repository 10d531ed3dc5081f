"""A profile file is edited in place: it means what was meant, and what the edit does not name stays as it is."""

import copy
import re
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dbctl.errors import ConfigError
from dbctl.profiles.editing import Append, Edit, Remove, Set, edited
from tests.profiles.documents import NAMES, documents

REFUSED = "can't be edited in place"
VALUES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8), st.integers(-(2**63), 2**63 - 1), st.booleans(),
    st.floats(allow_nan=False), st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=3), max_size=3),
)  # fmt: skip


def comments(text: str, but: str | None = None) -> list[str]:
    """Return the comments of a generated file in their order, except those that belong to a profile."""
    found = re.findall(r"# (?:own .+|keep) \d+\.", text)
    return [comment for comment in found if not (but and comment.startswith(f"# own {but} "))]


def meant(text: str, change: Callable[[Any], object]) -> Any:
    """Return what the text says with a change made to it."""
    data = copy.deepcopy(tomllib.loads(text))
    data.setdefault("profiles", {})
    change(data)
    return without_empty(data)


def without_empty(data: Any) -> Any:
    """Leave out the empty tables that a removed last key may leave behind, or not."""
    data.setdefault("profiles", {})
    for profile in data["profiles"].values():
        for key in [key for key, value in profile.items() if value == {}]:
            del profile[key]
    return data


@contextmanager
def refused_in_place() -> Iterator[None]:
    """Let what can't be edited be refused: the file stays as it is, and the person is told what to do."""
    try:
        yield
    except ConfigError as error:
        assume(REFUSED not in error.message or "profiles edit" not in error.hint)
        raise


@settings(max_examples=60, deadline=None)
@given(documents(), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5), VALUES)
def test_an_added_profile_is_there_and_all_else_stays(text: str, name: str, value: Any) -> None:
    assume(name not in tomllib.loads(text).get("profiles", {}))
    table = {"application_name": value, "pool": {"size": 5}}
    with refused_in_place():
        new = edited(text, [Append(("profiles", name), table)])
    assert without_empty(tomllib.loads(new)) == meant(text, lambda data: data["profiles"].update({name: table}))
    assert comments(new) == comments(text)
    assert new.startswith(text)


@settings(max_examples=100, deadline=None)
@given(
    documents(), st.data(), st.sampled_from(["url", "user", "pool.size", "pool.timeout", "query.a", "ssl.mode"]), VALUES
)
def test_a_set_value_is_there_and_all_else_stays(text: str, data: st.DataObject, key: str, value: Any) -> None:
    names = list(tomllib.loads(text).get("profiles", {}))
    assume(names)
    name = data.draw(st.sampled_from(names))

    def change(content: Any) -> None:
        *tables, leaf = key.split(".")
        table = content["profiles"][name]
        for part in tables:
            table = table.setdefault(part, {})
        table[leaf] = value

    with refused_in_place():
        new = edited(text, [Set(("profiles", name, *key.split(".")), value)])
    assert without_empty(tomllib.loads(new)) == meant(text, change)
    assert comments(new) == comments(text)


@settings(max_examples=100, deadline=None)
@given(documents(), st.data())
def test_a_removed_profile_is_gone_and_all_else_stays(text: str, data: st.DataObject) -> None:
    names = list(tomllib.loads(text).get("profiles", {}))
    assume(names)
    name = data.draw(st.sampled_from(names))
    with refused_in_place():
        new = edited(text, [Remove(("profiles", name))])
    assert without_empty(tomllib.loads(new)) == meant(text, lambda content: content["profiles"].pop(name))
    assert comments(new, name) == comments(text, name)


@settings(max_examples=100, deadline=None)
@given(documents(), st.data())
def test_a_key_that_is_taken_out_is_gone_and_all_else_stays(text: str, data: st.DataObject) -> None:
    keys = [(n, key) for n, table in tomllib.loads(text).get("profiles", {}).items() for key in table if len(table) > 1]
    assume(keys)
    name, key = data.draw(st.sampled_from(keys))
    with refused_in_place():
        new = edited(text, [Remove(("profiles", name, key))])
    assert without_empty(tomllib.loads(new)) == meant(text, lambda content: content["profiles"][name].pop(key))
    assert comments(new, name) == comments(text, name)


@settings(max_examples=60, deadline=None)
@given(documents(), st.sampled_from(NAMES))
def test_a_changed_default_is_there_and_all_else_stays(text: str, name: str) -> None:
    new = edited(text, [Set(("default",), name)])
    assert without_empty(tomllib.loads(new)) == meant(text, lambda data: data.update(default=name))
    assert comments(new) == comments(text)
    if "default" in tomllib.loads(text):
        assert len(new.splitlines()) == len(text.splitlines())


TABLES = """\
# The file

default = "shop" # the one

# The shop
[profiles.shop] # heading
url = "sqlite://" # here
# about workers
workers = 2
# pool.size = 5

# Free

[profiles.shop.pool]
size = 10
# The other
[profiles.other]
    host = "h"
"""


@pytest.mark.parametrize(
    ("edits", "gone", "come"),
    [
        ([Set(("default",), "other")], ['default = "shop" # the one'], ['default = "other" # the one']),
        ([Set(("profiles", "shop", "workers"), 3)], ["workers = 2"], ["workers = 3"]),
        ([Set(("profiles", "shop", "user"), "u")], [], ['user = "u"']),
        ([Set(("profiles", "shop", "pool", "timeout"), 1.5)], [], ["timeout = 1.5"]),
        ([Set(("profiles", "shop", "ssl", "mode"), "require")], [], ['ssl.mode = "require"']),
        ([Set(("profiles", "other", "models"), ["a", "b"])], [], ['    models = ["a", "b"]']),
        ([Remove(("profiles", "shop", "workers"))], ["workers = 2"], []),
        ([Remove(("profiles", "other"))], ["# The other", "[profiles.other]", '    host = "h"'], []),
        (
            [Remove(("profiles", "shop"))],
            ["# The shop", "[profiles.shop] # heading", 'url = "sqlite://" # here', "# about workers", "workers = 2",
             "# pool.size = 5", "", "[profiles.shop.pool]", "size = 10"],
            [],
        ),
        ([Append(("profiles", "a b"), {"url": "sqlite://"})], [], ["", '[profiles."a b"]', 'url = "sqlite://"']),
    ],
)  # fmt: skip
def test_an_edit_changes_the_lines_that_it_has_to(edits: list[Edit], gone: list[str], come: list[str]) -> None:
    import difflib

    changed = [
        line for line in difflib.ndiff(TABLES.splitlines(), edited(TABLES, edits).splitlines()) if line[0] in "-+"
    ]
    assert [line[2:] for line in changed if line[0] == "-"] == gone
    assert [line[2:] for line in changed if line[0] == "+"] == come


@pytest.mark.parametrize(
    ("text", "edit", "expected"),
    [
        ("", Set(("default",), "dev"), 'default = "dev"\n'),
        ("# Just a comment", Set(("default",), "dev"), '# Just a comment\n\ndefault = "dev"\n'),
        ("# File\n\n# P\n[profiles.p]\n", Set(("default",), "p"), '# File\n\ndefault = "p"\n\n# P\n[profiles.p]\n'),
        ("[profiles]\np = {url='x',pool={size=1}}", Set(("profiles", "p", "pool", "size"), 2),
         '[profiles]\np = { url = "x", pool = { size = 2 } }'),
        ("profiles = {}", Append(("profiles", "p"), {"url": "x"}), 'profiles = { p = { url = "x" } }'),
        ("[profiles]\np.url = 'x'", Set(("profiles", "p", "port"), 5), "[profiles]\np.url = 'x'\np.port = 5\n"),
        ("[profiles.p.pool]\nsize=1\r\n", Set(("profiles", "p", "url"), "x"),
         '[profiles.p.pool]\nsize=1\r\n\r\n[profiles.p]\r\nurl = "x"\r\n'),
        ("[profiles.p]\n[profiles.q]\n", Set(("profiles", "p", "port"), 5), "[profiles.p]\nport = 5\n[profiles.q]\n"),
        ("[profiles.p]\nurl='x'\n\n\n[profiles.q]\nurl='y'\n\n", Remove(("profiles", "q")), "[profiles.p]\nurl='x'\n"),
        ("[profiles.p]\nurl='''\n# x'''\n[profiles.q]\n", Remove(("profiles", "q")), "[profiles.p]\nurl='''\n# x'''\n"),
        ("# P\n[profiles.p]\n\n[profiles.q]\n", Remove(("profiles", "p")), "# P\n\n[profiles.q]\n"),
    ],
)  # fmt: skip
def test_odd_files_are_edited_too(text: str, edit: Edit, expected: str) -> None:
    assert edited(text, [edit]) == expected


@pytest.mark.parametrize(
    ("text", "edit"),
    [
        ('[profiles.p]\nmodels = [\n  "a", # why\n]\n', Set(("profiles", "p", "models"), ["b"])),
        ("[profiles.p]\n[profiles.p.pool]\nsize = 1\n", Set(("profiles", "p", "pool"), 5)),
        ("[profiles.p]\npool = 5\n", Set(("profiles", "p", "pool", "size"), 5)),
        ("[[profiles]]\nx = 1\n", Append(("profiles", "p"), {})),
        ("[profiles.p]\n", Remove(("profiles", "q"))),
    ],
)
def test_what_can_not_be_edited_in_place_is_refused(text: str, edit: Edit) -> None:
    with pytest.raises(ConfigError, match=f"{REFUSED}: .*; change it with: dbctl profiles edit"):
        edited(text, [edit])
