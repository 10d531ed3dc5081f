"""What is installed by name is this project's: on PyPI `dbctl` is a stranger's program."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dbctl.runtime.distribution import NAME, how_to_install, missing_module

ROOT = Path(__file__).parents[1]
_INSTALL = re.compile(r"pip3? install (.*)")
_OWN = re.compile(r"(?<![\w./-])(?:[\w-]+-)?dbctl(?![\w./-])")


def files() -> list[Path]:
    """Return all that is kept, code and pages."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def test_the_project_has_the_name_that_hints_say() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["name"] == NAME


def test_no_page_and_no_code_has_anybody_install_a_strangers_dbctl() -> None:
    for path in files():
        for line in path.read_text("utf-8", errors="replace").splitlines():
            for installed in _INSTALL.findall(line):
                assert set(_OWN.findall(re.split("&&|`", installed)[0])) <= {NAME}, f"{path}: {line}"


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="only a checkout lists its files")
def test_what_is_looked_at_is_there() -> None:
    assert {ROOT / "README.md", ROOT / "dbctl" / "manual" / "async.md"} <= set(files())


def test_an_extra_is_named_of_what_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert how_to_install("async") == 'pip install "sqlmodel-dbctl[async]"'

    fork = "acme-dbctl"

    class Distribution:
        def __init__(self, name: str) -> None:
            self.name = name

        def locate_file(self, path: str) -> Path:
            return (ROOT if self.name == fork else tmp_path) / path

    def distribution(name: str) -> Distribution:
        if name == NAME:
            raise metadata.PackageNotFoundError
        return Distribution(name)

    monkeypatch.setattr(metadata, "packages_distributions", lambda: {"dbctl": ["dbctl", fork]})
    monkeypatch.setattr(metadata, "distribution", distribution)
    assert how_to_install("async") == f'pip install "{fork}[async]"'
    monkeypatch.setattr(metadata, "packages_distributions", lambda: {"dbctl": ["dbctl"]})
    assert how_to_install("async") == 'pip install "sqlmodel-dbctl[async]"'


def test_what_is_missing_is_named_where_the_error_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert missing_module(ImportError("no"), "sys", "nowhere_at_all") == "nowhere_at_all"
    assert missing_module(ImportError("no", name="it"), "sys") == "it"
    monkeypatch.setitem(sys.modules, "greenlet", None)
    assert missing_module(ImportError("no"), "greenlet") == "greenlet"


def needed(texts: Iterable[str]) -> set[str]:
    """Return what is installed for requirements, by what each of them that is there says that it requires itself."""
    found: set[str] = set()
    left = [(text, "") for text in texts]
    while left:
        text, extra = left.pop()
        one = Requirement(text)
        name = canonicalize_name(one.name)
        if name in found or (one.marker and not one.marker.evaluate({"extra": extra})):
            continue
        found.add(name)
        left += [(each, extra) for each in metadata.requires(name) or () for extra in one.extras or [""]]
    return found


def test_the_extra_migrate_brings_alembic_and_nothing_heavy() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    usual, extra = project["dependencies"], project["optional-dependencies"]["migrate"]
    brought = needed([*usual, *extra]) - needed(usual)
    assert "alembic" in brought
    assert brought <= {"alembic", "mako", "markupsafe", "typing-extensions"}
