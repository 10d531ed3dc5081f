"""How what an error advises is done on the command line: the library says what would help, and knows no option."""

from collections.abc import Mapping

from dbctl.errors import DbctlError, Remedy

_HOW: Mapping[Remedy, str] = {
    Remedy.CREATE_TABLES: " with: dbctl init-tables",
    Remedy.CREATE_MISSING: " with: dbctl init-tables",
    Remedy.CREATE_DATABASE: " with: dbctl init-tables",
    Remedy.WAIT_FOR_LOCK: " with --lock-wait SECONDS",
    Remedy.WAIT_LONGER: " with --lock-timeout",
    Remedy.NAME_PROFILE: " with --profile, or set one as the default with: dbctl profiles default NAME",
    Remedy.NAME_MODELS: " with models or --models",
    Remedy.NAME_APP_DIR: " with --app-dir",
}


def told(error: DbctlError) -> str:
    """Return what an error says, and how what it advises is done."""
    return f"{error}{_HOW.get(error.hint, '') if isinstance(error.hint, Remedy) else ''}"
