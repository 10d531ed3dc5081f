"""The password that a file has for a server behind a tunnel.

Else the drivers look for it themselves; here they would look for where the tunnel begins, on a port that is new each
time. https://www.postgresql.org/docs/current/libpq-pgpass.html
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from getpass import getuser
from pathlib import Path

from dbctl.errors import ConfigError
from dbctl.profiles import Profile
from dbctl.profiles.files import exposed, text_of
from dbctl.profiles.query import as_list

_FIELD = re.compile(r"((?:\\.|[^\\:])*)(?::|$)")


def password_in_file(profile: Profile, port: int, environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the password of the first line that fits; None where there is none, or PGPASSWORD goes before it.

    Args:
        profile: A profile that names no password's source.
        port: The server's own port.
        environ: The environment.

    Raises:
        ConfigError: Others can read the file, or it can't be read.
    """
    named = profile.query.get("passfile") or environ.get("PGPASSFILE")
    path = Path(as_list(named)[-1]) if named else Path("~/.pgpass").expanduser()
    if environ.get("PGPASSWORD") or not path.is_file():
        return None
    if problem := exposed(path):
        raise ConfigError(f"{profile.called}: {problem}")
    user = profile.user or getuser()
    wanted = (profile.host, str(port), profile.database or user, user)
    for line in text_of(path).splitlines():
        fields = [re.sub(r"\\(.)", r"\1", field) for field in _FIELD.findall(line)]
        fits = (said in {"*", own} for said, own in zip(fields, wanted, strict=False))
        if not line.startswith("#") and len(fields) > len(wanted) and all(fits):
            return fields[len(wanted)] or None
    return None
