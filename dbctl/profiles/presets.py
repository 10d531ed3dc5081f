"""The three environment presets, and the profile that is there when nothing is configured."""

from collections.abc import Mapping
from typing import Any, Final

from dbctl.errors import ConfigError
from dbctl.profiles.words import nearly

# What a service should start from in each environment. A profile's own values, and those of `[defaults]`, go before.
PRESETS: Final[dict[str, dict[str, Any]]] = {
    "production": {
        "environment": "production",
        "connect_timeout": 10.0,
        "protected": True,
        "pool.size": 20,
        "pool.max_overflow": 10,
        "pool.pre_ping": True,
        "pool.recycle": 3600,
        "pool.timeout": 30.0,
        "ssl.mode": "require",
    },
    "testing": {"environment": "testing", "driver": "sqlite"},
    "development": {"environment": "development", "driver": "sqlite", "database": "dev.db"},
}

EMBEDDED: Final = "development"

BUILT_IN: Final = "built in"
"""The origin of what nobody has said."""

BUILT_IN_MODELS: Final = "the sample"
"""The origin of `models` where the profile file names none."""


def preset_in(environ: Mapping[str, str]) -> str:
    """Return the preset that ENVIRONMENT names, however it is written; a service's own word, `staging`, names none.

    Raises:
        ConfigError: It is a preset's name, misspelt: the service would run on another one's settings.
    """
    said = environ.get("ENVIRONMENT", "").strip().lower() or EMBEDDED
    if said in PRESETS:
        return said
    if meant := nearly(said, PRESETS):
        raise ConfigError(f"ENVIRONMENT={said}: no preset has this name; did you mean {meant}?")
    return EMBEDDED
