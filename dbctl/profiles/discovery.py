"""Finding the profile file, and in it the profile that is meant."""

import os
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbctl.errors import ConfigError
from dbctl.mounts import SAMPLE
from dbctl.profiles.files import exposed
from dbctl.profiles.layers import Layer, build, holds_password, layer_from_table, layer_from_url, nearest
from dbctl.profiles.model import Profile
from dbctl.profiles.presets import BUILT_IN_MODELS, EMBEDDED, PRESETS

FILE_NAME = "profiles.toml"


@dataclass(frozen=True)
class _Document:
    """The profile file's own structure; a profile's table is validated when it is chosen."""

    default: str | None = None
    models: list[str] = field(default_factory=list)
    sample: bool = True
    defaults: dict[str, Any] = field(default_factory=dict)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)


_ALLOWED: Mapping[str, tuple[type, str]] = {
    "default": (str, 'a profile\'s name, such as default = "dev"'),
    "models": (list, 'a list of module names, such as ["app.models"]'),
    "sample": (bool, "true, or false, which takes the sample's commands and tables away"),
    "defaults": (dict, "a table"),
    "profiles": (dict, "tables, such as [profiles.dev]"),
}


@dataclass(frozen=True)
class Profiles:
    """All profiles that can be named: those of the profile file, if there is one, and the built-in ones.

    Args:
        path: The profile file, or None.
        document: What is in it.
        environ: The environment in which `${VAR}`, DATABASE_URL and ENVIRONMENT are looked up.
        name: The name of the profile that was asked for.
        url: The database URL that was asked for.
        options: What was said of the profile's values, over what it says itself.
        named: All the names that were asked for, where a command takes several; `name` is the last of them.
    """

    path: Path | None = None
    document: _Document = field(default_factory=_Document)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    name: str | None = None
    url: str | None = None
    options: Sequence[Layer] = ()
    ask: Callable[[str], str] | None = None
    named: tuple[str, ...] = ()

    @classmethod
    def load(
        cls,
        config: str | None = None,
        *,
        name: str | None = None,
        url: str | None = None,
        options: Sequence[Layer] = (),
        environ: Mapping[str, str] | None = None,
        ask: Callable[[str], str] | None = None,
    ) -> "Profiles":
        """Find and read the profile file.

        Args:
            config: Its path. Else DBCTL_CONFIG names it, else it is `./profiles.toml`, else `dbctl/profiles.toml` in
                the user's XDG configuration directory; where there is none of these there is no file.
            name: The name of the profile that was asked for.
            url: The database URL that was asked for.
            options: What was said of the profile's values, over what it says itself; `Layer.origin` is the option.
            environ: The environment, `os.environ` unless given.
            ask: Returns the password of the profile of this name, over the source that the profile names.

        Raises:
            ConfigError: A file that was named is not there, or what is in it can't be understood; one that was found
                belongs to somebody else; others can read a password in it.
        """
        environ = os.environ if environ is None else environ
        path = _find(config, environ)
        return cls(path, _document(path, _read(path)) if path else _Document(), environ, name, url, options, ask)

    @classmethod
    def of(cls, path: Path, content: Mapping[str, Any], environ: Mapping[str, str]) -> "Profiles":
        """Return the profiles that a file would hold if this were in it.

        Raises:
            ConfigError: The file's own keys are wrong.
        """
        return cls(path, _document(path, content), environ)

    def names(self) -> list[str]:
        """Return the names of all profiles, the file's first, then those that are built in."""
        return list(dict.fromkeys([*self.document.profiles, *PRESETS]))

    def select(self, name: str | None = None) -> Profile:
        """Return a profile by its name, or the one that is meant.

        That is the one of the URL that was asked for; else of the name; else of DBCTL_PROFILE; else of DATABASE_URL
        with ENVIRONMENT; else the file's default; else the preset that ENVIRONMENT names; else the embedded
        development profile.

        Raises:
            ConfigError: There is no such profile, or its values are not allowed.
        """
        chosen, layers = (name, self._layers(name)) if name is not None else self._choose()
        layers += self.options
        if self.ask is not None:
            layers.append(Layer({"password": self.ask(chosen)}, "--ask-password"))
        profile = build(chosen, layers)
        if profile.echo and profile.environment == "production":
            origin = profile.origins.get("echo", f"profile {profile.name}")
            raise ConfigError(f"{origin}: echo is refused in production: it shows statements and their parameters")
        return profile

    def chosen_name(self) -> str:
        """Return the name of the profile that `select` takes when it is given none.

        Raises:
            ConfigError: The file or the variables that name it are wrong.
        """
        return self._choose()[0]

    def _choose(self) -> tuple[str, list[Layer]]:
        if self.url is not None:
            return "--url", [*self._shared(), layer_from_url(self.url, "--url")]
        named = self.name if self.name is not None else self.environ.get("DBCTL_PROFILE") or None
        if named is not None:
            return named, self._layers(named)
        if database_url := self.environ.get("DATABASE_URL"):
            return self._from_database_url(database_url)
        if self.document.default:
            return self.document.default, self._layers(self.document.default)
        environment = self._environment()
        return environment, self._layers(environment)

    def _from_database_url(self, database_url: str) -> tuple[str, list[Layer]]:
        environment = self._environment()
        layers = self._layers(environment)
        # Tests never run on what DATABASE_URL names: the preset's in-memory database goes before it.
        if environment != "testing":
            layers.append(layer_from_url(database_url, "DATABASE_URL"))
        return environment, layers

    def _environment(self) -> str:
        environment = self.environ.get("ENVIRONMENT") or EMBEDDED
        if environment not in PRESETS:
            raise ConfigError(f"ENVIRONMENT={environment}: allowed is {', '.join(PRESETS)}")
        return environment

    def _layers(self, name: str) -> list[Layer]:
        table = self.document.profiles.get(name)
        if table is None and name not in PRESETS:
            source = f" in {self.path}" if self.path else ": there is no profile file"
            raise ConfigError(f'no profile "{name}"{source}', nearest(name, self.names()))
        layers = list(self._shared())
        if table is not None:
            layers.append(self._table(table, f"[profiles.{name}]"))
        named = [layer.values["environment"] for layer in layers if "environment" in layer.values]
        preset = named[-1] if named and table is not None else name
        if isinstance(preset, str) and preset in PRESETS:
            layers.insert(0, Layer(PRESETS[preset], f"{preset} preset"))
        if table is None:
            layers.append(Layer({"environment": name}, f"{name} preset"))
        return layers

    def _shared(self) -> Iterator[Layer]:
        if self.document.models:
            yield Layer({"models": self.document.models}, str(self.path))
        elif self.document.sample:
            yield Layer({"models": list(SAMPLE.models)}, BUILT_IN_MODELS)
        if self.document.defaults:
            yield self._table(self.document.defaults, "[defaults]")

    def _table(self, table: Mapping[str, Any], heading: str) -> Layer:
        assert self.path is not None, "a table comes from a file"
        return layer_from_table(table, f"{self.path} {heading}", self.path.parent, self.environ)


def place(config: str | None, environ: Mapping[str, str]) -> Path:
    """Return the path of the profile file that is read, or that would be if it were there; `load` says how it is found.

    One that is nowhere is to be in the working directory.
    """
    named = config if config is not None else environ.get("DBCTL_CONFIG") or None
    return Path(os.path.expanduser(named)) if named is not None else _find(None, environ) or Path(FILE_NAME)


def _find(config: str | None, environ: Mapping[str, str]) -> Path | None:
    for named, by in ((config, "--config"), (environ.get("DBCTL_CONFIG"), "DBCTL_CONFIG")):
        if named is not None and (named or by == "--config"):
            path = Path(os.path.expanduser(named))
            if not path.is_file():
                raise ConfigError(f"{by}: there is no file {path}")
            return path
    home = Path(os.path.expanduser(environ.get("XDG_CONFIG_HOME") or "~/.config"))
    for path in (Path(FILE_NAME), home / "dbctl" / FILE_NAME):
        if path.is_file():
            _refuse_anothers(path)
            return path
    return None


def _refuse_anothers(path: Path) -> None:
    """Refuse a file that somebody else put where dbctl would find it: it may name programs to run."""
    for place in (path, path.parent):
        if place.stat().st_uid not in {os.geteuid(), 0}:
            raise ConfigError(
                f"{path}: {'it' if place == path else 'its directory'} belongs to another user",
                f"if you trust it, name it: --config {shlex.quote(str(path))}, or DBCTL_CONFIG",
            )


def _read(path: Path) -> dict[str, Any]:
    try:
        return parse(path, path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text: {error.reason} at byte {error.start}") from error


def parse(path: Path, text: str) -> dict[str, Any]:
    """Return what a profile file's text says, before anything of it is validated.

    Raises:
        ConfigError: It is not TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _document(path: Path, content: Mapping[str, Any]) -> _Document:
    document = _Document(**_checked(path, content))
    tables = [document.defaults, *document.profiles.values()]
    if any(map(holds_password, tables)) and path.exists() and (problem := exposed(path)):
        raise ConfigError(f"{path}: there is a password in it, and {problem}", "or name its source with password_env")
    if document.default is not None and document.default not in {*document.profiles, *PRESETS}:
        known = nearest(document.default, [*document.profiles, *PRESETS])
        raise ConfigError(f'{path}: default = "{document.default}": there is no such profile; {known}')
    return document


def _checked(path: Path, content: Mapping[str, Any]) -> Mapping[str, Any]:
    for key, value in content.items():
        if key not in _ALLOWED:
            raise ConfigError(f"{path}: {key}: unknown key; {nearest(key, _ALLOWED)}")
        kind, allowed = _ALLOWED[key]
        if not isinstance(value, kind):
            raise ConfigError(f"{path}: {key}: allowed is {allowed}")
    for name, table in content.get("profiles", {}).items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: profiles.{name}: allowed is a table, such as [profiles.{name}]")
    return content
