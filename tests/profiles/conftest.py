"""The fixtures for tests of profiles."""

from pathlib import Path

import pytest

from tests.profiles.loading import ProfileFile


@pytest.fixture(autouse=True)
def in_an_empty_directory(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no `profiles.toml` be found but the one that the test wrote."""
    monkeypatch.chdir(workdir)


@pytest.fixture
def profile_file(tmp_path: Path) -> ProfileFile:
    """A profile file in a directory of its own, which is not the working directory."""
    directory = tmp_path / "config"
    directory.mkdir()
    return ProfileFile(directory / "profiles.toml")
