"""Profiles made of a few lines of TOML and an environment that the test spells out."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbctl.errors import ConfigError
from dbctl.profiles import Profile, Profiles
from dbctl.profiles.layers import Layer
from tests.harness.files import private

CANARY = "hunter2canary"
"""A password that must not be seen anywhere."""


@dataclass(frozen=True)
class ProfileFile:
    """A `profiles.toml` that each call writes anew."""

    path: Path

    def load(
        self,
        toml: str,
        environ: Mapping[str, str] | None = None,
        *,
        name: str | None = None,
        url: str | None = None,
        echo: bool | None = None,
    ) -> Profiles:
        """Write the file and read it, in an environment that is empty unless given."""
        private(self.path).write_text(toml, encoding="utf-8")
        options = [] if echo is None else [Layer({"echo": echo}, "--echo")]
        return Profiles.load(str(self.path), name=name, url=url, options=options, environ=environ or {})

    def profile(self, toml: str, name: str = "p", **environ: str) -> Profile:
        """Return one of the file's profiles; text without a table's heading is the body of `[profiles.p]`.

        The keywords in capitals are the environment.
        """
        return self.load(_headed(toml), environ).select(name)

    def error(self, toml: str, name: str = "p", **environ: str) -> str:
        """Return what is said of a profile that can't be used."""
        with pytest.raises(ConfigError) as caught:
            self.profile(toml, name, **environ)
        return str(caught.value)


def _headed(toml: str) -> str:
    return toml if "[profiles." in toml else f"[profiles.p]\n{toml}"
