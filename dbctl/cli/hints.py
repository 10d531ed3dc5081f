"""How what an error advises is done on the command line: the library says what would help, and knows no option.

A command in it can be pasted as it stands: it has the profile, the file and the URL that were said on this line.
"""

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from dbctl.cli.options import Globals
from dbctl.errors import DbctlError, Remedy

_ENV_FILE = ".env"
_BY_HAND = "; or mend the database by hand, and say so with: dbctl migrate stamp REVISION"
_RESUME = f" with --resume{_BY_HAND}"

_HOW: Mapping[Remedy, str] = {
    Remedy.CREATE_TABLES: " with: dbctl init-tables",
    Remedy.LIST_TABLES: " with: dbctl tables; or create those of the models with: dbctl init-tables",
    Remedy.CREATE_MISSING: " with: dbctl init-tables",
    Remedy.CREATE_WITH_SCHEMAS: " with: dbctl init-tables --create-schemas",
    Remedy.CREATE_DATABASE: " with: dbctl init-tables",
    Remedy.CREATE_ON_SERVER: " with: dbctl create-database",
    Remedy.NAME_MAINTENANCE: " with --maintenance-database",
    Remedy.NAME_DATABASE: " in the profile",
    Remedy.END_SESSIONS: " with --force",
    Remedy.WAIT_FOR_LOCK: " with --lock-wait SECONDS",
    Remedy.WAIT_LONGER: " with --lock-timeout",
    Remedy.TAKE_LONGER: " with --timeout",
    Remedy.GIVE_PASSWORD: ", or type it with --ask-password",
    Remedy.NAME_PROFILE: " with --profile, or set one as the default with: dbctl profiles default NAME",
    Remedy.GIVE_URL: " with --url, or in DBCTL_URL",
    Remedy.NAME_MODELS: " with models or --models",
    Remedy.NAME_APP_DIR: " with app_dir or --app-dir",
    Remedy.EXCLUDE_MODULE: " with exclude or --exclude",
    Remedy.NO_TRANSACTION: " with --no-transaction",
    Remedy.RUN_AS_SCRIPT: " with: dbctl run FILE --no-transaction",
    Remedy.TAKE_OUT_OR_NO_TRANSACTION: " with --no-transaction",
    Remedy.DROP_IN_BATCHES: " with --in-batches",
    Remedy.MIGRATE: " with: dbctl migrate upgrade; or create them all the same with --force",
    Remedy.BEGIN_ALEMBIC: " with: dbctl migrate init alembic",
    Remedy.MERGE_HEADS: " with: dbctl migrate merge heads",
    Remedy.LIST_REVISIONS: " with: dbctl migrate history",
    Remedy.NO_LOCK: " with --no-lock",
    Remedy.END_SESSION: " with --terminate",
    Remedy.END_SUPERUSERS: " with --force",
    Remedy.STAMP: " with: dbctl migrate stamp --purge REVISION",
    Remedy.RESUME: _RESUME,
    Remedy.RUN_THE_REST: _RESUME,
    Remedy.RESUME_UPGRADE: f" with: dbctl migrate upgrade --resume{_BY_HAND}",
    Remedy.RESUME_DOWNGRADE: f" with: dbctl migrate downgrade -1 --resume{_BY_HAND}",
    Remedy.STAMP_MADE: " with: dbctl migrate stamp head",
}
_COMMAND = re.compile(r"\bdbctl (?=(?P<command>[a-z][\w-]*))")


def told(error: DbctlError, said: Globals | None = None, arguments: Mapping[str, Any] | None = None) -> str:
    """Return what an error says, and how what it advises is done.

    Args:
        error: The error.
        said: The global options of the line that failed.
        arguments: The arguments of its command.
    """
    return "; ".join(filter(None, [error.message, left_by(error, said), hint_of(error, said, arguments)]))


def hint_of(error: DbctlError, said: Globals | None = None, arguments: Mapping[str, Any] | None = None) -> str:
    """Return how what an error advises is done; "" where it advises nothing. The arguments are those of `told`."""
    if said is not None and error.whose is not None and (arguments or {}).get("target"):
        said = replace(said, profile=[error.whose])  # a copy names two, by options of its own
    hint = f"{error.hint}{_HOW.get(error.hint, '') if isinstance(error.hint, Remedy) else ''}"
    if error.hint in {Remedy.CREATE_TABLES, Remedy.LIST_TABLES, Remedy.CREATE_DATABASE} and _is_by_alembic(said):
        hint = hint.replace("init-tables", "migrate upgrade")
    if error.hint in {Remedy.CREATE_MISSING, Remedy.CREATE_WITH_SCHEMAS}:
        hint = " ".join([hint, *_models(arguments or {})])
    if error.hint is Remedy.CREATE_DATABASE and _is_unread(said):
        hint += f"; or if it is meant what {_ENV_FILE} says, begin with: dbctl profiles import dotenv --as dev"
    return _here(hint, said)


def _is_by_alembic(said: Globals | None) -> bool:
    """Tell whether migrations are what makes the tables of the profile that the line is about."""
    from dbctl.migrations.location import is_used_by
    from dbctl.profiles import Profiles

    said = said or Globals()
    try:
        profiles = Profiles.load(said.config, name=said.profile[-1] if said.profile else None, url=said.url)
        return is_used_by(profiles.select())
    except DbctlError:
        return False  # which is told already where it matters


def _is_unread(said: Globals | None) -> bool:
    """Tell whether an environment file is here, and nothing else says where the database is."""
    from dbctl.profiles.document import find

    asked = said is not None and (said.config or said.profile or said.url)
    named = asked or any(os.environ.get(name) for name in ("DBCTL_PROFILE", "DBCTL_URL", "DATABASE_URL"))
    return not named and os.path.isfile(_ENV_FILE) and find(None, os.environ) is None


def left_by(error: BaseException, said: Globals | None = None) -> str:
    """Return what work has left in the database, and how the remedy at its end, if there is one, is done.

    Args:
        error: What ended the work.
        said: The global options of the line that failed.
    """
    left: str = getattr(error, "left", "")
    remedy = left.rpartition("; ")[2]
    return _here(f"{left}{_HOW[Remedy(remedy)]}", said) if remedy in {*_HOW} else left


def _here(hint: str, said: Globals | None) -> str:
    """Return a hint whose commands have the global options of the line that failed."""
    if said is None:
        return hint
    return _COMMAND.sub(lambda found: " ".join(["dbctl", *_options(said, found["command"]), ""]), hint)


def _options(said: Globals, command: str) -> Iterator[str]:
    """Yield the global options by which a command does its work where the line that failed did."""
    if command == "help":
        return
    if said.config is not None:
        yield f"-c {shlex.quote(said.config)}"
    if command == "profiles":
        return  # they are about the file, and take no profile
    for name in said.profile or ():
        yield f"-p {shlex.quote(name)}"
    ask = said.ask_password
    if said.url is not None:
        from dbctl.profiles.urls import without_secrets

        shown = without_secrets(said.url)
        yield f"--url {shlex.quote(shown)}"
        ask = ask or shown != said.url.strip()
    if ask:
        yield "--ask-password"


def _models(arguments: Mapping[str, Any]) -> Iterator[str]:
    """Yield the options that say which tables the line was about."""
    for module in arguments.get("models") or ():
        yield f"--models {shlex.quote(module)}"
    for module in arguments.get("exclude") or ():
        yield f"--exclude {shlex.quote(module)}"
    if arguments.get("app_dir"):
        yield f"--app-dir {shlex.quote(arguments['app_dir'])}"
