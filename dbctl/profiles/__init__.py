"""Connection profiles: TOML and environment in, one frozen and validated `Profile` out.

Importing this package loads nothing else; each name is loaded when it is first used (PEP 562), so that what needs only
the names in the file does not wait for pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbctl.profiles.discovery import Profiles, select
    from dbctl.profiles.model import Pool, Profile, Ssl, Tunnel
    from dbctl.profiles.secrets import password_of

_HOMES = {
    "Pool": "dbctl.profiles.model",
    "Profile": "dbctl.profiles.model",
    "Profiles": "dbctl.profiles.discovery",
    "Ssl": "dbctl.profiles.model",
    "Tunnel": "dbctl.profiles.model",
    "password_of": "dbctl.profiles.secrets",
    "select": "dbctl.profiles.discovery",
}

__all__ = ["Pool", "Profile", "Profiles", "Ssl", "Tunnel", "password_of", "select"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
