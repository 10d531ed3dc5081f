"""The example profile file is one that a person can copy: all of it is valid, and it shows every key there is."""

import re
import shutil
from pathlib import Path

import pytest

from dbctl.backends import backend_of
from dbctl.profiles import Pool, Profile, Profiles, Ssl, Tunnel
from tests.harness.cli import Dbctl

EXAMPLE = Path(__file__).parents[2] / "profiles.example.toml"
COPIED = EXAMPLE.read_text(encoding="utf-8")
TEXT = "".join(
    line.removeprefix("# ") if part else line
    for part, text in enumerate(COPIED.partition("and name your own hosts and files.\n")[::2])
    for line in text.splitlines(keepends=True)
)
"""The file with the servers' profiles taken in."""

# What the file names in place of secrets and hosts.
VARIABLES = dict.fromkeys(re.findall(r"\$\{(\w+)\}", TEXT), "value")

KEYS = {
    "default",
    "models",
    "url",
    *(set(Profile.model_fields) - {"name", "query", "password", "pool", "ssl", "tunnel"}),
    *Pool.model_fields,
    *Ssl.model_fields,
    *Tunnel.model_fields,
}


NAMES = ["dev", "testing", "production", "mysql", "development"]


@pytest.fixture
def example(tmp_path: Path) -> Profiles:
    """The example as a copy, with the files that it names beside it."""
    (tmp_path / "certs").mkdir()
    for name in re.findall(r'"(certs/.*)"', TEXT):
        (tmp_path / name).touch(0o600)
    file = tmp_path / "profiles.toml"
    file.write_text(TEXT, encoding="utf-8")
    return Profiles.load(str(file), environ=VARIABLES)


def test_it_works_as_it_is_copied(dbctl: Dbctl) -> None:
    shutil.copy(EXAMPLE, dbctl.cwd / "profiles.toml")
    assert all(row["error"] is None for row in dbctl.ok("profiles", "check", "--json").json)
    for name in ("dev", "testing"):
        assert "SELECT" not in dbctl.ok("-p", name, "init-tables").err


@pytest.mark.parametrize("name", NAMES)
def test_every_profile_of_the_example_can_be_used(name: str, example: Profiles) -> None:
    profile = example.select(name)
    assert profile.name == name
    assert backend_of(profile).profile is profile


def test_the_example_has_what_a_service_needs(example: Profiles) -> None:
    profiles = {name: example.select(name) for name in example.document.profiles}
    backends = {(profile.environment, backend_of(profile).title) for profile in profiles.values()}
    assert {("production", "PostgreSQL"), ("production", "MySQL"), ("testing", "SQLite")} <= backends
    assert example.chosen_name() == "dev"
    assert profiles["dev"].driver == "sqlite"


def test_no_password_stands_in_the_example(example: Profiles) -> None:
    assert all(example.select(name).password is None for name in example.names())


@pytest.mark.parametrize("key", sorted(KEYS))
def test_every_key_is_in_the_example(key: str) -> None:
    assert re.search(rf"^(# )?{key} = ", TEXT, re.MULTILINE)


@pytest.mark.parametrize("key", sorted(KEYS))
def test_no_key_is_explained_twice(key: str) -> None:
    explained = re.findall(rf"^{key} = [^#\n]*#", TEXT, re.MULTILINE)
    assert len(explained) <= (2 if key == "driver" else 1)  # where it names the other servers it says so
