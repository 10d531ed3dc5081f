"""`dbctl profiles import`."""

import logging
import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from dbctl.backends import backend_of
from dbctl.errors import ConfigError, UsageError
from dbctl.profiles import Profiles
from dbctl.profiles.compose import compose_file, from_compose
from dbctl.profiles.editing import Append, Edit, Remove, edited
from dbctl.profiles.importing import Found, from_dotenv, from_url, from_variables
from dbctl.profiles.option_files import client_file, from_client_groups, from_services, service_file
from dbctl.profiles.secrets import SOURCES
from dbctl.profiles.settings import nested
from dbctl.profiles.writing import ProfileFile, check_new
from dbctl.records import record
from dbctl.results import PlainText
from dbctl.work.effects import writes

PLACE = 4
PAGE = "profile-file"

_PLACE = {"url", "driver", "host", "hosts", "port", "user", "database", "query"}
"""What an import says anew of a profile that is there; TLS and the password's source if it says something of them."""

_log = logging.getLogger(__name__)


class Source(StrEnum):
    """What a profile can be made of."""

    URL = "url"
    ENV = "env"
    DOTENV = "dotenv"
    PG_SERVICE = "pg-service"
    MY_CNF = "my-cnf"
    COMPOSE = "compose"


@record
class Imported:
    """A profile that is in the file now."""

    name: str
    source: str
    file: str


@record
class Toml(PlainText):
    """A table as it would be written."""

    toml: str

    def __str__(self) -> str:
        return self.toml.rstrip("\n")


@writes()
def import_(
    file: ProfileFile,
    source: Annotated[Source, typer.Argument(help="What to make the profile of.", show_default=False)],
    entry: Annotated[
        str | None,
        typer.Argument(
            help="The URL; or the variable, or the first part of variables' names, such as DB; or the service; or the"
            " group. Without it DATABASE_URL or what variables there are, all services, all groups.",
            show_default=False,
        ),
    ] = None,
    from_file: Annotated[
        str | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help="What to read: .env, ~/.pg_service.conf, ~/.my.cnf, compose.yaml unless given.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--as", metavar="NAME", help="The new profile's name; services and groups have one.")
    ] = None,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Where there is such a profile, say anew where it leads; its other keys stay."),
    ] = False,
) -> Sequence[Imported | Toml]:
    """Make profiles of what other programs connect by.

    That is a URL, environment variables (DATABASE_URL; DB_HOST, DB_NAME, …; POSTGRES_…, PG…, MYSQL_…), a .env file
    with such, libpq's services, the client groups of a MySQL option file, or the databases of Docker Compose's file
    that publish their port. No password is copied: it stays in its variable, or you are told where it is. What a
    profile has no word for is told too. Of all services or groups one that can't be used here is told and left out.
    --dry-run shows what would be written.

    Examples:
        $ dbctl profiles import url postgresql://app@db.example.com/shop --as prod
        $ dbctl profiles import dotenv --file shop.env --as shop --dry-run
        $ dbctl profiles import compose db --as local --replace
    """
    found, variables = _found(source, entry, Path(os.path.expanduser(from_file)) if from_file else None, file.environ)
    if name is not None and len(found) > 1:
        raise UsageError(f"--as names one profile, and there are {len(found)}", "name one of them: " + _names(found))
    if name is None and found[0].name is None:
        raise UsageError("the profile has no name yet", "name it with --as NAME")
    file = ProfileFile(file.path, {**file.environ, **variables}, file.dry_run)
    found = _right(file, found) if entry is None and len(found) > 1 else found
    tables = {name or str(one.name): nested(one.values) for one in found}
    made: list[Append] = []

    def checked(profiles: Profiles) -> Sequence[Edit]:
        there = profiles.document.profiles if replace else {}
        for key in tables.keys() - there.keys():
            check_new(profiles, key, "say --replace, or take another name with --as")
        made[:] = [Append(("profiles", key), _kept(there.get(key, {}), table) | table) for key, table in tables.items()]
        return [*(Remove(("profiles", key)) for key in tables if key in there), *made]

    file.change(checked, list(tables), backend_of)
    for key, one in zip(tables, found, strict=True):
        for note in one.notes:
            _log.info("%s: %s", key, note)
    if file.dry_run:
        return [Toml(edited("", made))]
    return [Imported(key, source.value, str(file.path)) for key in tables]


def _found(
    source: Source, entry: str | None, path: Path | None, environ: Mapping[str, str]
) -> tuple[list[Found], Mapping[str, str]]:
    """Return the profiles that are there, and the variables of an environment file."""
    if path is not None and source in {Source.URL, Source.ENV}:
        raise UsageError(f"there is no file in {source}", "leave --file out")
    match source:
        case Source.URL:
            if entry is None:
                raise UsageError("there is no URL", "give it behind url")
            return [from_url(entry)], {}
        case Source.ENV:
            return [from_variables(environ, entry, "the environment")], {}
        case Source.DOTENV:
            one, variables = from_dotenv(path or Path(".env"), entry, environ)
            return [one], variables
        case Source.PG_SERVICE:
            return from_services(path or service_file(environ), entry), {}
        case Source.MY_CNF:
            return from_client_groups(path or client_file(), entry), {}
        case Source.COMPOSE:
            return from_compose(path or compose_file(), entry, environ), {}


def _kept(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return what stays of a profile that leads elsewhere now."""
    gone = {*_PLACE, *new, *(SOURCES if "url" in new or not new.keys().isdisjoint(SOURCES) else ())}
    return {key: value for key, value in old.items() if key not in gone}


def _right(file: ProfileFile, found: list[Found]) -> list[Found]:
    """Return those that can be used, and tell of the others; all where none can, for the first to be refused."""
    wrong: dict[str, ConfigError] = {}
    for one in found:
        name = str(one.name)
        if error := file.addition_error(Append(("profiles", name), nested(one.values)), name, backend_of):
            wrong[name] = error
    right = [one for one in found if one.name not in wrong]
    for name, error in wrong.items() if right else ():
        _log.warning("%s is left out: %s", name, error)
    return right or found


def _names(found: Sequence[Found]) -> str:
    return ", ".join(str(one.name) for one in found)
