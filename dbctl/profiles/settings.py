"""A profile's settings as they are typed: a URL, and dotted keys with their values (`pool.size=5`)."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from dbctl.errors import ConfigError, UsageError
from dbctl.profiles.model import Pool, Profile, Ssl, Tunnel
from dbctl.profiles.urls import is_secret, split_url

_URL = re.compile(r"[A-Za-z][\w+.-]*://.*", re.DOTALL)
_SETTING = re.compile(r"([A-Za-z]\w*(?:\.[\w-]+)*)=(.*)", re.DOTALL)
# Filled from the environment when the profile is used: no secret stands there.
_FILLED_IN = re.compile(r"(\$\{\w+\})+")

_IN_PLAIN_TEXT = "a password would stand in the file in plain text"
_NAME_ITS_SOURCE = "leave it out, and name its source: password_env=VARIABLE or password_file=FILE"


def settings_of(words: Sequence[str]) -> dict[str, Any]:
    """Return what was typed, by dotted key.

    Args:
        words: `KEY=VALUE`, or a URL alone.

    Raises:
        UsageError: A word is neither, a key is there twice, or a URL has a password in it.
        ConfigError: A password was typed.
    """
    values: dict[str, Any] = {}
    for word in words:
        match = _SETTING.fullmatch(word)
        if not match and not _URL.fullmatch(word):
            shown = word if "@" not in word else "what was typed"
            raise UsageError(f"{shown} is no setting", "write KEY=VALUE, such as pool.size=5, or a URL")
        key, text = match.groups() if match else ("url", word)
        if key in values:
            raise UsageError(f"{key} is given twice", "give it once")
        values[key] = typed(key, text)
    _refuse_passwords(values)
    return values


def typed(key: str, text: str) -> Any:
    """Return the value that a text stands for: what it is in TOML, or else the text itself.

    A key that takes a text gets one, even where that looks like a number; one that takes several a list of the one.
    """
    value = _value_of(key, text)
    return [value] if isinstance(value, str) and _kind_of(key) == tuple[str, ...] else value


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by dotted key as the tables that they stand in, a table's own keys before its tables."""
    tables: dict[str, Any] = {}
    for key, value in sorted(values.items(), key=lambda item: "." in item[0]):
        table, _, leaf = key.rpartition(".")
        (tables.setdefault(table, {}) if table else tables)[leaf] = value
    return tables


def _value_of(key: str, text: str) -> Any:
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = found["value"]
    takes_text = key.startswith("query.") or _kind_of(key) in {str, str | None}
    return text if len(found) > 1 or (takes_text and not isinstance(value, str)) else value


def _kind_of(key: str) -> Any:
    """Return what a key takes, as it is annotated; None for what is none."""
    table, _, leaf = key.rpartition(".")
    tables: Mapping[str, type[BaseModel]] = {"": Profile, "pool": Pool, "ssl": Ssl, "tunnel": Tunnel}
    fields = tables.get(table, Profile).model_fields
    return fields[leaf].annotation if leaf in fields else None


def _refuse_passwords(values: Mapping[str, Any]) -> None:
    """Refuse a password that was typed: the shell's history has it, and the file would.

    Raises:
        UsageError: There is one in a URL, or in an option.
        ConfigError: It is the key of its own, which there is not.
    """
    if "password" in values:
        raise ConfigError(_IN_PLAIN_TEXT, _NAME_ITS_SOURCE)
    secrets = [value for key, value in values.items() if key.startswith("query.") and is_secret(key)]
    url = values.get("url")
    if isinstance(url, str) and not url.startswith("${"):
        try:
            parts = split_url(url)
        except ConfigError:
            parts = {}  # what is wrong with it is told when the profile is validated
        secrets += [parts.get("password", ""), *(v for key, v in parts.get("query", {}).items() if is_secret(key))]
    if any(secret and not (isinstance(secret, str) and _FILLED_IN.fullmatch(secret)) for secret in secrets):
        raise UsageError(_IN_PLAIN_TEXT, _NAME_ITS_SOURCE)
