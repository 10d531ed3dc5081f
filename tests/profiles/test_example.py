"""The example profile file is one that a person can copy: all of it is valid, and it shows every key there is."""

import re
import shutil
from pathlib import Path

import pytest

from dbctl.backends import backend_of
from dbctl.profiles import Pool, Profile, Profiles, Ssl

EXAMPLE = Path(__file__).parents[2] / "profiles.example.toml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
# What the file names in place of secrets and hosts.
VARIABLES = dict.fromkeys(re.findall(r"\$\{(\w+)\}", TEXT), "value")

KEYS = {
    "default",
    "models",
    "url",
    *(set(Profile.model_fields) - {"name", "query", "password", "pool", "ssl"}),
    *Pool.model_fields,
    *Ssl.model_fields,
}


NAMES = Profiles.load(str(EXAMPLE), environ={}).names()


@pytest.fixture
def example(tmp_path: Path) -> Profiles:
    """The example as a copy, with the files that it names beside it."""
    (tmp_path / "certs").mkdir()
    for name in re.findall(r'"(certs/.*)"', TEXT):
        (tmp_path / name).touch(0o600)
    return Profiles.load(str(shutil.copy(EXAMPLE, tmp_path)), environ=VARIABLES)


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
