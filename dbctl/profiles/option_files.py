"""The files by which libpq's and MySQL's own programs connect: services, and option files."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dbctl.errors import ConfigError
from dbctl.profiles.files import text_of
from dbctl.profiles.importing import Found
from dbctl.profiles.words import nearest

# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_SERVICE = {
    "host": "host", "port": "port", "dbname": "database", "user": "user", "password": "password",
    "connect_timeout": "connect_timeout", "application_name": "application_name", "sslmode": "ssl.mode",
    "sslrootcert": "ssl.ca", "sslcert": "ssl.cert", "sslkey": "ssl.key",
}  # fmt: skip
_SERVICE_OPTIONS = {
    "options", "hostaddr", "client_encoding", "keepalives", "keepalives_idle", "keepalives_interval",
    "keepalives_count", "tcp_user_timeout", "target_session_attrs", "channel_binding", "gssencmode", "krbsrvname",
    "sslcrl", "sslcompression", "ssl_min_protocol_version", "ssl_max_protocol_version", "fallback_application_name",
    "load_balance_hosts", "sslnegotiation", "require_auth",
}  # fmt: skip
# https://dev.mysql.com/doc/refman/8.4/en/connection-options.html
_CLIENT = {
    "host": "host", "port": "port", "user": "user", "password": "password", "database": "database",
    "socket": "query.unix_socket", "connect_timeout": "connect_timeout", "default_character_set": "query.charset",
    "ssl_mode": "ssl.mode", "ssl_ca": "ssl.ca", "ssl_cert": "ssl.cert", "ssl_key": "ssl.key",
}  # fmt: skip
_OFF = {"0", "off", "false"}

Sections = Mapping[str, Sequence[tuple[str, str]]]


def service_file(environ: Mapping[str, str]) -> Path:
    """Return where libpq looks for services: PGSERVICEFILE, else `~/.pg_service.conf`."""
    return Path(environ.get("PGSERVICEFILE") or os.path.expanduser("~/.pg_service.conf"))


def client_file() -> Path:
    """Return where MySQL's programs look for a user's options."""
    return Path(os.path.expanduser("~/.my.cnf"))


def from_services(path: Path, entry: str | None) -> list[Found]:
    """Read libpq's services, or the one that is named.

    Raises:
        ConfigError: The file can't be read, or there is no such service.
    """
    sections, notes = _sections(path)
    found = [_service(path, name, sections[name]) for name in _chosen(path, sections, list(sections), entry)]
    found[0].notes[:0] = notes
    return found


def from_client_groups(path: Path, entry: str | None) -> list[Found]:
    """Read the groups of a MySQL option file that its clients read, or the one that is named.

    They are `[client]`, and every `[clientNAME]`, which goes before it, as with `--defaults-group-suffix=NAME`.

    Raises:
        ConfigError: The file can't be read, or there is no such group.
    """
    sections, notes = _sections(path)
    groups = [name for name in sections if name.startswith("client")]
    entry = entry if entry is None or entry in groups else next((g for g in groups if _suffix(g) == entry), entry)
    found = [_group(path, name, sections) for name in _chosen(path, sections, groups, entry)]
    found[0].notes[:0] = notes
    return found


def from_group(path: Path, name: str) -> Found:
    """Read a group of a MySQL option file, over what its `[client]` says.

    A certificate authority alone is one to verify by, as it is for PyMySQL.

    Raises:
        ConfigError: The file can't be read, or there is no such group.
    """
    sections, _ = _sections(path)
    found = _group(path, _chosen(path, sections, list(sections), name)[0], sections)
    if "ssl.ca" in found.values:
        found.values.setdefault("ssl.mode", "verify-full")
    return found


def _service(path: Path, name: str, settings: Sequence[tuple[str, str]]) -> Found:
    found = Found(name, {"driver": "postgresql"})
    for keyword, value in reversed(settings):  # of two the first counts
        said = f"{path} [{name}]: {keyword}"
        if keyword in _SERVICE:
            found.take(_SERVICE[keyword], value, said)
        elif keyword in _SERVICE_OPTIONS:
            found.take(f"query.{keyword}", value, said)
        else:
            found.skip(said)
    return found.completed()


def _group(path: Path, name: str, sections: Sections) -> Found:
    found = Found(_suffix(name), {"driver": "mysql"})
    for group in dict.fromkeys(["client", name]):
        for option, value in sections.get(group, ()):
            said, key = f"{path} [{group}]: {option}", option.replace("-", "_")
            if key in _CLIENT:
                found.take(_CLIENT[key], _unquoted(value), said)
            elif key in {"skip_ssl", "disable_ssl"} or (key == "ssl" and value.lower() in _OFF):
                found.values["ssl.mode"] = "disable"
            elif key == "ssl":
                found.values.setdefault("ssl.mode", "require")
            elif key == "ssl_verify_server_cert" and value.lower() not in _OFF:
                found.values["ssl.mode"] = "verify-full"
            else:
                found.skip(said)
    return found.completed()


def _suffix(group: str) -> str:
    return group.removeprefix("client").lstrip("_-") or group


def _chosen(path: Path, sections: Sections, known: list[str], entry: str | None) -> list[str]:
    if entry is None and known:
        return known
    if entry is None or entry not in known:
        raise ConfigError(f"{path}: there is no [{entry or 'client'}]", nearest(entry or "", known or sections))
    return [entry]


def _sections(path: Path) -> tuple[Sections, list[str]]:
    """Read a file of sections; `notes` tell of lines that are not followed."""
    sections: dict[str, list[tuple[str, str]]] = {}
    notes: list[str] = []
    current: list[tuple[str, str]] = []
    for number, line in _lines(text_of(path)):
        if match := re.fullmatch(r"\[\s*(.+?)\s*\]", line):
            current = sections.setdefault(match[1], [])
        elif line.startswith(("!", "ldap:")):
            notes.append(f"{path}, line {number}: {line.split()[0]} is not followed; import its file with --file")
        else:
            key, _, value = line.partition("=")
            current.append((key.strip(), value.strip()))
    return sections, notes


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if (stripped := line.strip()) and not stripped.startswith(("#", ";")):
            yield number, stripped


def _unquoted(value: str) -> str:
    """Return an option's value without its quotes, its escapes and a comment behind it.

    https://dev.mysql.com/doc/refman/8.4/en/option-files.html
    """
    match = re.match(r"""(?P<quote>["'])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\s*(?:#.*)?\Z""", value)
    text = match["text"] if match else re.split(r"\s#", value)[0].rstrip()
    escapes = {"b": "\b", "t": "\t", "n": "\n", "r": "\r", "s": " ", "\\": "\\", '"': '"', "'": "'"}
    return re.sub(r"\\(.)", lambda found: escapes.get(found[1], found[0]), text)
