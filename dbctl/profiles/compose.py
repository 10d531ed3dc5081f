"""Docker Compose's files: services of databases, as they are reached from here, by the ports that they publish.

https://docs.docker.com/reference/compose-file/services/
"""

import json
import re
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from dbctl.errors import ConfigError
from dbctl.profiles.dotenv import variables_in
from dbctl.profiles.files import is_file, text_of
from dbctl.profiles.importing import Found
from dbctl.profiles.words import nearest
from dbctl.records import record
from dbctl.runtime.distribution import how_to_install

_NAMES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_RESOLVED = "docker compose config --format json"
_REFERENCE = re.compile(r"\$(?:\{(?P<braced>\w+)(?::?[-?+](?P<other>[^}]*))?\}|(?P<bare>[A-Za-z_]\w*))")
_PUBLISHED = re.compile(r"(?:(?P<host>\[[^]]+\]|[^:]+):)?(?P<port>\d+):(?P<own>\d+)(?:/tcp)?")


@record
class _Image:
    """What an official image of a database goes by.

    Args:
        driver: The profile's.
        port: The port that it listens on.
        database: The end of the variable that names the database.
        user: The user that there is where none is named, and of whose password another variable may tell.
        password: The end of that variable.
    """

    driver: str
    port: str
    database: str
    user: str
    password: str


# https://hub.docker.com/_/postgres, https://hub.docker.com/_/mariadb, https://hub.docker.com/_/mysql
_IMAGES = {
    "POSTGRES": _Image("postgresql", "5432", "DB", "postgres", "PASSWORD"),
    "MARIADB": _Image("mariadb", "3306", "DATABASE", "root", "ROOT_PASSWORD"),
    "MYSQL": _Image("mysql", "3306", "DATABASE", "root", "ROOT_PASSWORD"),
}


def compose_file() -> Path:
    """Return the file that Docker Compose reads in the working directory."""
    return Path(next((name for name in _NAMES if is_file(Path(name))), _NAMES[0]))


def from_compose(path: Path, entry: str | None, environ: Mapping[str, str]) -> list[Found]:
    """Read the services of databases that publish their port, or the one that is named.

    Args:
        path: The file, as YAML or as JSON.
        entry: The service.
        environ: Where a `${NAME}` is looked up; before a `.env` beside the file.

    Raises:
        ConfigError: It can't be read, or there is no such service.
    """
    services = _services(path)
    if entry is not None and entry not in services:
        raise ConfigError(f"{path}: there is no service {entry}", nearest(entry, services))
    beside = path.parent / ".env"
    variables = {**(variables_in(beside, environ) if is_file(beside) else {}), **environ}
    chosen = services if entry is None else {entry: services[entry]}
    found = [one for name, service in chosen.items() if (one := _found(path, name, service, variables))]
    if not found:
        which = f"service {entry} is not one that has" if entry else "there is no service that has"
        text = f"{path}: {which} variables of an image of PostgreSQL, MariaDB or MySQL and publishes its port"
        raise ConfigError(text, 'publish it, as in ports: ["5432:5432"]')
    return found


def _services(path: Path) -> Mapping[str, Mapping[str, Any]]:
    text = text_of(path)
    try:
        content = json.loads(text)
    except ValueError:
        content = _of_yaml(path, text)
    services = content.get("services") if isinstance(content, Mapping) else None
    if not isinstance(services, Mapping):
        raise ConfigError(f"{path}: there are no services", "name Docker Compose's file with --file")
    return {str(name): one for name, one in services.items() if isinstance(one, Mapping)}


def _of_yaml(path: Path, text: str) -> Any:
    try:
        yaml: Any = import_module("yaml")
    except ImportError:
        hint = f"{how_to_install('compose')}; or name with --file what `{_RESOLVED}` prints"
        raise ConfigError(f"{path}: is read as YAML by PyYAML, which is not installed", hint) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        place = getattr(error, "problem_mark", None)
        raise ConfigError(f"{path}{f', line {place.line + 1}' if place else ''}: is no YAML") from None


def _found(path: Path, name: str, service: Mapping[str, Any], variables: Mapping[str, str]) -> Found | None:
    """Return the profile of a service; None where it is no database, or can't be reached from here."""
    own = dict(_environment(service.get("environment")))
    family = next((one for one in _IMAGES if any(key.startswith(f"{one}_") for key in own)), None)
    if family is None:
        return None
    image = _IMAGES[family]
    place = next((one for one in _ports(service, variables) if one[2] == image.port), None)
    if place is None:
        return None
    mariadb = "mariadb" in str(service.get("image"))
    user = _filled(own.get(f"{family}_USER", ""), variables)
    said = f"{path}: {name}"
    found = Found(name, {"driver": "mariadb" if mariadb else image.driver})
    found.take("host", place[0], said)
    found.take("port", place[1], said)
    found.take("user", user or image.user, said)
    database = _filled(own.get(f"{family}_{image.database}", ""), variables)
    if database or image.driver == "postgresql":
        found.take("database", database or user or image.user, said)
    _take_password(found, f"{family}_{'PASSWORD' if user else image.password}", own, said)
    return found


def _take_password(found: Found, variable: str, own: Mapping[str, str], said: str) -> None:
    """Take over which variable of this machine the password comes from; else tell where it is."""
    if f"{variable}_FILE" in own:
        found.notes.append(f"{said}: {variable}_FILE is a file in the container; name it here with password_file=FILE")
    elif reference := _REFERENCE.fullmatch(own.get(variable, "")):
        found.values["password_env"] = reference["braced"] or reference["bare"]
    elif own.get(variable):
        found.take("password", own[variable], f"{said}: {variable}")


def _environment(said: Any) -> Iterator[tuple[str, str]]:
    """Yield a service's variables, a table or a list of NAME=VALUE; one without a value has this machine's."""
    if isinstance(said, Mapping):
        pairs = [(str(key), None if value is None else str(value)) for key, value in said.items()]
    else:
        listed = [str(one).partition("=") for one in said or ()]
        pairs = [(key, value if equals else None) for key, equals, value in listed]
    for key, value in pairs:
        yield key, f"${{{key}}}" if value is None else value


def _ports(service: Mapping[str, Any], variables: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Yield the hosts and ports on this machine that lead to a service's own ports, with these."""
    for one in service.get("ports") or ():
        if isinstance(one, Mapping):
            host, port, own = (str(one.get(key) or "") for key in ("host_ip", "published", "target"))
        elif published := _PUBLISHED.fullmatch(_filled(str(one), variables)):
            host, port, own = published["host"] or "", published["port"], published["own"]
        else:
            continue
        if port.isdecimal():
            yield host.strip("[]") if host not in {"", "0.0.0.0", "[::]", "::"} else "localhost", port, own


def _filled(text: str, variables: Mapping[str, str]) -> str:
    """Return a text with the values of the variables that it names, or what stands for those that are not there."""
    return _REFERENCE.sub(lambda found: variables.get(found["braced"] or found["bare"]) or found["other"] or "", text)
