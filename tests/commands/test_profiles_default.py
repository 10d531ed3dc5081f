"""`dbctl profiles default`."""

import pytest

from tests.harness.cli import Dbctl

FILE = '# Ours\n\n# One\n[profiles.one]\nurl = "sqlite:///one.db"\n[profiles.two]\nurl = "sqlite:///two.db"\n'


@pytest.fixture
def run(bare: Dbctl) -> Dbctl:
    (bare.cwd / "profiles.toml").write_text(FILE)
    return bare


def text(dbctl: Dbctl) -> str:
    return (dbctl.cwd / "profiles.toml").read_text()


def test_it_is_named_changed_shown_and_taken_back(run: Dbctl) -> None:
    assert run.ok("profiles", "default", "--json").json == {"default": None, "file": "profiles.toml"}
    assert run.ok("profiles", "default", "two", "--json").json["default"] == "two"
    assert text(run) == FILE.replace("# One", 'default = "two"\n\n# One')
    assert run.ok("profiles", "show", "--json").json[0]["value"] == "two"
    run.ok("profiles", "default", "testing")
    assert run.ok("profiles", "default", "--json").json["default"] == "testing"
    run.ok("profiles", "default", "--unset")
    assert run.ok("profiles", "default", "--json").json["default"] is None
    run.ok("profiles", "default", "--unset")


def test_it_has_to_be_there(run: Dbctl) -> None:
    result = run("profiles", "default", "thre")
    assert (result.code, text(run)) == (3, FILE)
    assert 'no profile "thre" in profiles.toml; ' in result.err


def test_a_name_and_none_are_not_both(run: Dbctl) -> None:
    assert run("profiles", "default", "one", "--unset").code == 2


def test_without_a_file_there_is_none(bare: Dbctl) -> None:
    assert bare.ok("profiles", "default", "--json").json["default"] is None
    assert list(bare.cwd.iterdir()) == []
