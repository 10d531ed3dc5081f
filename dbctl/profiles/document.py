"""The profile file as a document: where it is found, and what it says before any profile of it is built.

Completion and the list of commands read it with each press of a key, so neither pydantic nor SQLAlchemy is loaded here.
"""

import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from dbctl.errors import ConfigError
from dbctl.profiles.files import is_file, text_of
from dbctl.profiles.fleets import BETWEEN, Fleet, fleets_of
from dbctl.profiles.presets import PRESETS
from dbctl.profiles.words import nearest
from dbctl.records import record
from dbctl.runtime.machine import in_container

FILE_NAME = "profiles.toml"


@record
class Document:
    """The profile file's own structure; a profile's table is validated when it is chosen."""

    default: str | None = None
    models: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    app_dir: str | None = None
    alembic: str | None = None
    seed: str | None = None
    env_file: str | None = None
    sample: bool = True
    commands: list[str] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)
    profiles: dict[str, dict[str, Any]] = field(default_factory=dict)
    fleet: dict[str, Fleet] = field(default_factory=dict)

    @classmethod
    def of(cls, path: Path, content: Mapping[str, Any]) -> "Document":
        """Return what the content of a profile file says.

        Raises:
            ConfigError: The file's own keys are wrong.
        """
        document = cls(**_checked(path, content))
        if document.default is not None and not document.knows(document.default):
            known = nearest(document.default, document.names())
            raise ConfigError(f'{path}: default = "{document.default}": there is no such profile; {known}')
        return document

    @classmethod
    def read(cls, path: Path) -> "Document":
        """Read a profile file.

        Raises:
            ConfigError: It can't be read, or what is in it can't be understood.
        """
        return cls.of(path, parse(path, text_of(path)))

    @classmethod
    def found(cls, config: str | None = None, environ: Mapping[str, str] = os.environ) -> "Document":
        """Find the profile file, as `find` does, and read it; where there is none it says nothing.

        Raises:
            ConfigError: As `find` and `read` do.
        """
        path = find(config, environ)
        return cls.read(path) if path else cls()

    def imports_from(self, path: Path | None) -> str | None:
        """Return the directory that modules are imported from, relative to the file; None for the working directory.

        It is `app_dir`, or the file's own where that has one of the modules, or alembic's file, and the working
        directory has none: a file that was found further up, or is named by a cron job, stands beside its service.

        Args:
            path: The file, if there is one.
        """
        if self.app_dir is not None or path is None or path.parent == Path():
            return self.app_dir
        named = [self.models, *(table.get("models") for table in (self.defaults, *self.profiles.values()))]
        modules = {str(name).partition(".")[0] for names in named if isinstance(names, list) for name in names}
        signs = ["alembic.ini", *modules, *(f"{name}.py" for name in modules)]
        # By os.path, to which what this user may not look into is not there: a cron job's directory may be root's.
        here, there = (any(os.path.exists(place / sign) for sign in signs) for place in (Path(), path.parent))
        return "." if there and not here else None

    def with_variables(self, path: Path, environ: Mapping[str, str]) -> tuple[Mapping[str, str], Collection[str]]:
        """Return an environment with what `env_file` sets beside it, and the names of that.

        In the process' own it is set for all, such as the service's modules and programs that are run. What is set
        already stays. A file that is not there sets nothing: where a service is deployed it has none.

        Args:
            path: The profile file, from where the file's path starts.
            environ: The environment.

        Raises:
            ConfigError: It can't be read.
        """
        file = path.parent / os.path.expanduser(self.env_file or "")
        if self.env_file is None or not os.path.exists(file):
            return environ, ()
        from dbctl.profiles.dotenv import variables_in

        variables = variables_in(file, environ)
        missing = {name: value for name, value in variables.items() if name not in environ}
        if environ is not os.environ:
            return {**environ, **missing}, missing.keys()
        os.environ.update(missing)
        _set_by_file.update(missing)
        return environ, _set_by_file & variables.keys()

    def names(self) -> list[str]:
        """Return the names of all profiles, the file's first, then those that are built in."""
        return list(dict.fromkeys([*self.profiles, *PRESETS]))

    def members(self) -> list[str]:
        """Return the names of the file's own profiles, but for templates of fleets, which are no databases."""
        templates = {fleet.template for fleet in self.fleet.values()}
        return [name for name in self.profiles if name not in templates]

    def is_half(self, name: str) -> bool:
        """Tell whether a profile is a template that says nothing of the place: that is its fleet's rows' to say."""
        is_template = any(fleet.template == name for fleet in self.fleet.values())
        return is_template and not {"url", "driver"} & set(self.profiles.get(name, {}))

    def refuse_half(self, name: str, said: str) -> None:
        """Refuse a template that says nothing of the place, where nothing else of the file does.

        Args:
            name: The profile's name.
            said: What has named it, for the message.

        Raises:
            ConfigError: It is one.
        """
        if self.is_half(name) and not {"url", "driver"} & set(self.defaults):
            fleet = next(fleet for fleet in self.fleet.values() if fleet.template == name)
            raise ConfigError(
                f'{said}profile "{name}" is the template of {fleet.origin}, and no database itself',
                f"name its profiles: --profile '{fleet.pattern}'",
            )

    def fleet_of(self, name: str) -> Fleet | None:
        """Return the fleet of which a profile of this name would be a row; None where it would be none."""
        fleet, between, _ = name.partition(BETWEEN)
        return self.fleet.get(fleet) if between and name not in self.profiles else None

    def knows(self, name: str) -> bool:
        """Tell whether there is such a profile, or may be one among the rows of a fleet."""
        is_one = not any(sign in name for sign in "*?[")
        return name in self.names() or (is_one and self.fleet_of(name) is not None)


_set_by_file: set[str] = set()
"""The variables of this process' environment that an `env_file` has set."""

_ALLOWED: Mapping[str, tuple[type, str]] = {
    "default": (str, 'a profile\'s name, such as default = "dev"'),
    "models": (list, 'a list of module names, such as ["app.models"]'),
    "exclude": (list, 'a list of module names or patterns, such as ["app.legacy", "*.tests"]'),
    "app_dir": (str, 'a directory\'s path, such as "src"'),
    "alembic": (str, 'a path, such as "backend/alembic.ini"'),
    "seed": (str, 'a module and a function in it, such as "app.seed:main"'),
    "env_file": (str, 'a path, such as ".env"'),
    "sample": (bool, "true, or false, which takes the sample's commands and tables away"),
    "commands": (list, 'a list of packages of command modules, such as ["app.admin"]'),
    "defaults": (dict, "a table"),
    "profiles": (dict, "tables, such as [profiles.dev]"),
    "fleet": (dict, "tables, such as [fleet.tenants]"),
}


def find(config: str | None, environ: Mapping[str, str]) -> Path | None:
    """Return the profile file that is to be read, or None where there is none.

    It is the one that is named; else the one that DBCTL_CONFIG names; else the nearest `profiles.toml`, from the
    working directory up to the root of the repository that holds it (where `.git` is), or where there is no repository
    in the working directory alone; else `dbctl/profiles.toml` in the user's XDG configuration directory.

    Args:
        config: The path of the one that is named.
        environ: The environment.

    Raises:
        ConfigError: The one that is named is not there; or the one that was found belongs to somebody else.
    """
    if (named := _named(config, environ)) is not None:
        if not is_file(named):
            raise ConfigError(f"{'DBCTL_CONFIG: ' if config is None else ''}{_why_not(named)}")
        return named
    home = Path(os.path.expanduser(environ.get("XDG_CONFIG_HOME") or "~/.config"))
    for directory in (*_upwards(), home / "dbctl"):
        path = directory / FILE_NAME
        if is_file(path):
            _refuse_anothers(path, environ)
            return path
    return None


def place(config: str | None, environ: Mapping[str, str]) -> Path:
    """Return the path of the profile file that is read, or that would be if it were there; `find` says how.

    One that is nowhere is to be in the working directory.
    """
    return _named(config, environ) or find(None, environ) or Path(FILE_NAME)


def parse(path: Path, text: str) -> dict[str, Any]:
    """Return what a profile file's text says, before anything of it is validated.

    Raises:
        ConfigError: It is not TOML.
    """
    import tomllib  # where there is no file it is not needed

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _named(config: str | None, environ: Mapping[str, str]) -> Path | None:
    """Return the path of the profile file that is named; an empty variable names none."""
    named = config if config is not None else environ.get("DBCTL_CONFIG") or None
    return None if named is None else Path(os.path.expanduser(named))


def _upwards() -> Iterator[Path]:
    """Yield the working directory, and then each directory above it that is in the same repository."""
    here = Path()
    yield here
    try:
        above = Path.cwd()
    except OSError:
        return  # the working directory has been removed, or can't be looked at from above
    root = next((one for one in (above, *above.parents) if os.path.lexists(one / ".git")), above)
    while above != root:
        above, here = above.parent, here / ".."
        yield here


def _why_not(path: Path) -> str:
    """Return why a path that is named is no profile file."""
    try:
        os.stat(path)
    except (FileNotFoundError, ValueError):  # ValueError: a NUL in the path
        return f"there is no profile file {path}"
    except OSError as error:
        return f"the profile file {path} can't be read: {error.strerror}"
    return f"there is no profile file {path}: it is {'a directory' if os.path.isdir(path) else 'no file'}"


def _refuse_anothers(path: Path, environ: Mapping[str, str]) -> None:
    """Refuse a file that somebody else put where dbctl would find it: it may name programs to run.

    In a container whoever mounted it there decides, and is a user of the host's.
    """
    for one in (path, path.parent):
        try:
            owner = one.stat().st_uid
        except OSError as error:
            raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
        if owner not in {os.geteuid(), 0} and not in_container(environ):
            raise ConfigError(
                f"{path}: {'it' if one == path else 'its directory'} belongs to another user",
                f"if you trust it, name it: DBCTL_CONFIG={shlex.quote(str(path))}",
            )


def _checked(path: Path, content: Mapping[str, Any]) -> Mapping[str, Any]:
    for key, value in content.items():
        if key not in _ALLOWED:
            raise ConfigError(f"{path}: {key}: unknown key; {nearest(key, _ALLOWED)}")
        kind, allowed = _ALLOWED[key]
        if not isinstance(value, kind):
            raise ConfigError(f"{path}: {key}: allowed is {allowed}")
    if not all(isinstance(name, str) for name in content.get("commands", ())):
        raise ConfigError(f"{path}: commands: allowed is {_ALLOWED['commands'][1]}")
    for name, table in content.get("profiles", {}).items():
        if not isinstance(table, dict):
            raise ConfigError(f"{path}: profiles.{name}: allowed is a table, such as [profiles.{name}]")
    if "fleet" not in content:
        return content
    names = dict.fromkeys([*content.get("profiles", {}), *PRESETS])
    return {**content, "fleet": fleets_of(path, content["fleet"], names)}
