"""All profiles that can be named, and among them the one that is meant."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Any

from dbctl.errors import ConfigError, Remedy
from dbctl.mounts import SAMPLE
from dbctl.profiles.document import Document, find
from dbctl.profiles.fleets import Fleet
from dbctl.profiles.layers import Layer, build, layer_from_table, layer_from_url, refuse_exposed
from dbctl.profiles.model import Profile
from dbctl.profiles.presets import BUILT_IN, BUILT_IN_MODELS, EMBEDDED, PRESETS, preset_in
from dbctl.profiles.rows import Row, layer_of, tables_of
from dbctl.profiles.words import misspelt, no_profile
from dbctl.records import record

Ask = Callable[[Fleet, "Profiles"], Iterable[Row]]
"""Asks for the rows of a fleet, by the profile that its query is run on."""


def _unasked(fleet: Fleet, profiles: "Profiles") -> Iterable[Row]:
    raise ConfigError(f"{fleet.origin}: its rows are not asked for here", "name its profiles by dbctl.profile")


@record
class Choice:
    """The profile that is meant, by its name, and what chose it; `origin` is "" where it was asked for itself."""

    name: str
    origin: str = ""


@record
class Profiles:
    """All profiles that can be named: those of the profile file, if there is one, and the built-in ones.

    Args:
        path: The profile file, or None.
        document: What is in it.
        environ: The environment in which `${VAR}`, DATABASE_URL and ENVIRONMENT are looked up.
        name: The name of the profile that was asked for.
        url: The database URL that was asked for.
        options: What was said of the profile's values, over what it says itself.
        ask: Returns the password of the profile of this name.
        named: All the names that were asked for, where a command takes several; `name` is the last of them.
        several: Whether they are rows of a result, even where it is just one.
        at_a_time: How many of several are looked at at a time.
        by_file: Those of the variables that the file's `env_file` has set.
        heard: Called with the name of each profile that is selected.
        ask_rows: Asks for the rows of a fleet, each of which is asked for once.
        url_from: What has said the URL, for messages.
    """

    path: Path | None = None
    document: Document = field(default_factory=Document)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    name: str | None = None
    url: str | None = None
    options: Sequence[Layer] = ()
    ask: Callable[[str], str] | None = None
    named: tuple[str, ...] = ()
    several: bool = False
    at_a_time: int = 32
    by_file: Collection[str] = ()
    heard: Callable[[str], object] = lambda name: None
    ask_rows: Ask = _unasked
    url_from: str = "--url"
    _rows: dict[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict, compare=False, repr=False)

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
            config: Its path; `dbctl.profiles.document.find` tells where it is looked for else.
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
        path = find(config, environ)
        if path is None:
            return cls(None, Document(), environ, name, url, options, ask)
        document = Document.read(path)
        refuse_exposed(path, [document.defaults, *document.profiles.values()])
        environ, by_file = document.with_variables(path, environ)
        return cls(path, document, environ, name, url, options, ask, by_file=by_file)

    @classmethod
    def of(cls, path: Path, content: Mapping[str, Any], environ: Mapping[str, str]) -> "Profiles":
        """Return the profiles that a file would hold if this were in it.

        Raises:
            ConfigError: The file's own keys are wrong.
        """
        document = Document.of(path, content)
        refuse_exposed(path, [document.defaults, *document.profiles.values()])
        return cls(path, document, environ)

    def names(self) -> list[str]:
        """Return the names of all profiles, the file's first, then those that are built in."""
        return self.document.names()

    def rows(self, fleet: Fleet) -> Mapping[str, Mapping[str, Any]]:
        """Return what the rows of a fleet say, by the names of the profiles that they are.

        Raises:
            ConfigError: They can't be had, or are no profiles.
            ConnectError: The profile that is asked for them can't be reached.
        """
        if fleet.name not in self._rows:
            self._rows[fleet.name] = tables_of(fleet, self.ask_rows(fleet, self), self.document.profiles)
        return self._rows[fleet.name]

    def select(self, name: str | None = None) -> Profile:
        """Return a profile by its name, or the one that is meant.

        That is the one of the URL that was asked for; else of the name; else of DBCTL_URL or DBCTL_PROFILE, which
        exclude each other; else of DATABASE_URL with ENVIRONMENT, by `env_file` only in a file without profiles; else
        the file's default; else the one that ENVIRONMENT names; else the file's only one; else, where the file has
        none, the embedded development profile.

        Raises:
            ConfigError: There is no such profile, its values are not allowed, or it can't be told which one is meant.
        """
        choice, layers = (Choice(name), self._layers(name)) if name is not None else self._choose()
        chosen = choice.name
        self.heard(chosen)
        layers += self.options
        if self.ask is not None:
            layers.append(Layer({"password": self.ask(chosen)}, "--ask-password"))
        profile = build(chosen, layers, self.environ)
        if profile.echo and profile.environment == "production":
            origin = profile.origins.get("echo", profile.called)
            raise ConfigError(f"{origin}: echo is refused in production: it shows statements and their parameters")
        return profile

    def choice(self) -> Choice:
        """Return which profile `select` takes when it is given none, and what chose it; no rows are asked for.

        Raises:
            ConfigError: The file or the variables that name it are wrong, or it can't be told which one is meant.
        """
        return self._choose(lambda name, said="": [] if self.document.fleet_of(name) else self._layers(name, said))[0]

    def chosen_name(self) -> str:
        """Return the name of the profile that `select` takes when it is given none, as `choice` does."""
        return self.choice().name

    def _choose(self, layers: Callable[..., list[Layer]] | None = None) -> tuple[Choice, list[Layer]]:
        layers = layers or self._layers
        if self.url is not None:
            return self._from_url(self.url, self.url_from)
        if self.name is not None:
            return Choice(self.name), layers(self.name)
        url, name = self.environ.get("DBCTL_URL"), self.environ.get("DBCTL_PROFILE")
        if url and name:
            raise ConfigError("DBCTL_URL and DBCTL_PROFILE are both set", "unset one of them")
        if url:
            return self._from_url(url, "DBCTL_URL")
        if name:
            return Choice(name, "DBCTL_PROFILE"), layers(name, "DBCTL_PROFILE: ")
        by_itself = "DATABASE_URL" not in self.by_file or not self.document.profiles
        if (database_url := self.environ.get("DATABASE_URL")) and by_itself:
            return self._from_database_url(database_url)
        choice = self._in_file()
        return choice, layers(choice.name)

    def _in_file(self) -> Choice:
        """Return the profile that is taken where neither a name nor a URL is given.

        Beside a file that has profiles the embedded one is never taken, for nobody would look for it there.
        """
        if self.document.default:
            return Choice(self.document.default, f"default in {self.path}")
        in_file, environment = self.document.members(), preset_in(self.environ)
        if self.environ.get("ENVIRONMENT") and (environment in in_file or environment != EMBEDDED):
            return Choice(environment, "ENVIRONMENT")
        if len(in_file) == 1:
            return Choice(next(iter(in_file)), f"the only one in {self.path}")
        if in_file := [*in_file, *(fleet.pattern for fleet in self.document.fleet.values())]:
            raise ConfigError(
                f"{self.path} has no default, and no profile is named: there are {', '.join(in_file)}",
                Remedy.NAME_PROFILE,
            )
        return Choice(environment, "ENVIRONMENT" if self.environ.get("ENVIRONMENT") else BUILT_IN)

    def _from_url(self, url: str, origin: str) -> tuple[Choice, list[Layer]]:
        return Choice(origin), [*self._shared(), layer_from_url(url, origin, self.environ)]

    def _from_database_url(self, database_url: str) -> tuple[Choice, list[Layer]]:
        environment = preset_in(self.environ)
        layers = self._layers(environment)
        # Tests never run on what DATABASE_URL names: the preset's in-memory database goes before it.
        if environment == "testing":
            return Choice(environment, "ENVIRONMENT"), layers
        said = layer_from_url(database_url, "DATABASE_URL", self.environ)
        if self.path is not None and "DATABASE_URL" in self.by_file:
            said = replace(said, directory=self.path.parent)  # as all that the file says
        return Choice(environment, "DATABASE_URL"), [*layers, said]

    def _layers(self, name: str, said: str = "") -> list[Layer]:
        if fleet := self.document.fleet_of(name):
            return self._layers_of_row(fleet, name, said)
        table = self.document.profiles.get(name)
        if name in self.document.fleet and table is None:
            pattern = self.document.fleet[name].pattern
            raise ConfigError(f'{said}no profile "{name}": it is a fleet', f"name its profiles: --profile '{pattern}'")
        self.document.refuse_half(name, said)
        if table is None and name not in PRESETS:
            source = f" in {self.path}" if self.path else ": there is no profile file"
            raise no_profile(name, source, self.names(), said)
        layers = list(self._shared())
        if table is not None:
            layers.append(self._table(table, f"[profiles.{name}]"))
        return self._on_preset(layers, name, is_table=table is not None)

    def _layers_of_row(self, fleet: Fleet, name: str, said: str) -> list[Layer]:
        rows = self.rows(fleet)
        if name not in rows:
            raise ConfigError(f'{said}no profile "{name}": {fleet.origin} has no such row', misspelt(name, rows))
        below, table = list(self._shared()), self.document.profiles.get(fleet.template)
        if table is not None:
            below.append(self._table(table, f"[profiles.{fleet.template}]"))
        drivers = [layer.values["driver"] for layer in below if "driver" in layer.values]
        own = layer_of(fleet, name, rows[name], drivers[-1] if drivers else "")
        name, is_table = fleet.template, table is not None or not fleet.template
        protects = [layer.values.get("protected") for layer in self._on_preset([*below], name, is_table=is_table)]
        if next((said for said in reversed(protects) if said is not None), False):
            own = replace(own, values={**own.values, "protected": True})  # whatever the row says
        return self._on_preset([*below, own], name, is_table=is_table)

    @staticmethod
    def _on_preset(layers: list[Layer], name: str, *, is_table: bool) -> list[Layer]:
        """Lay a profile's layers on the preset that they name, or else that its name is."""
        named = [layer.values["environment"] for layer in layers if "environment" in layer.values]
        preset = named[-1] if named and is_table else name
        if isinstance(preset, str) and preset in PRESETS:
            layers.insert(0, Layer(PRESETS[preset], f"{preset} preset"))
        if not is_table:
            layers.append(Layer({"environment": name}, f"{name} preset"))
        return layers

    def _shared(self) -> Iterator[Layer]:
        if self.document.models:
            yield Layer({"models": self.document.models}, str(self.path))
        elif self.document.sample:
            yield Layer({"models": list(SAMPLE.models)}, BUILT_IN_MODELS)
        if self.document.exclude:
            yield Layer({"exclude": self.document.exclude}, str(self.path))
        if self.document.seed is not None:
            yield Layer({"seed": self.document.seed}, str(self.path))
        places = {"app_dir": self.document.imports_from(self.path), "alembic": self.document.alembic}
        if said := {key: place for key, place in places.items() if place is not None}:
            assert self.path is not None, "it comes from a file"
            yield layer_from_table(said, str(self.path), self.path.parent, self.environ)
        if self.document.defaults:
            yield self._table(self.document.defaults, "[defaults]")

    def _table(self, table: Mapping[str, Any], heading: str) -> Layer:
        assert self.path is not None, "a table comes from a file"
        return layer_from_table(table, f"{self.path} {heading}", self.path.parent, self.environ)


def select(
    name: str | None = None, *, url: str | None = None, config: str | None = None, ask_rows: Ask = _unasked
) -> Profile:
    """Return a profile, by name or the one that `dbctl` itself would take.

    Args:
        name: The profile's name.
        url: A database URL, in place of a name.
        config: The profile file's path, over where it is looked for.
        ask_rows: Asks for the rows of a fleet, where the profile is one.

    Raises:
        ConfigError: There is no such file or profile, or it is wrong.
    """
    return replace(Profiles.load(config, name=name, url=url), ask_rows=ask_rows, url_from="the URL").select()
