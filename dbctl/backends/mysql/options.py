"""What a URL may tell MySQL's drivers: the keywords of PyMySQL and asyncmy, and what other drivers' URLs have.

https://pymysql.readthedocs.io/en/latest/modules/connections.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dbctl.backends.options import FLAG, TEXT, WHOLE, Option

FOUND_ROWS = 2
"""The flag by which the server counts rows that an UPDATE found, also where it changed nothing; SQLAlchemy needs it."""

LOCAL_FILES = 128
"""The flag by which a client says that it can send a file; one that nobody here has offered PyMySQL refuses."""

# FOUND_ROWS, LOCAL_FILES, IGNORE_SPACE, INTERACTIVE, MULTI_STATEMENTS, MULTI_RESULTS, PS_MULTI_RESULTS
# (https://dev.mysql.com/doc/dev/mysql-server/latest/group__group__cs__capabilities__flags.html); the others say how the
# protocol is spoken, which is the driver's to say.
_HARMLESS_FLAGS = FOUND_ROWS | LOCAL_FILES | 256 | 1024 | 65536 | 131072 | 262144

_UTF8 = ("utf8", "utf8mb3", "utf8mb4")

# Variables by which a session commits by itself, has no transactions or no foreign keys, or speaks in another character
# set.
_PROMISED = re.compile(
    r"autocommit|completion_type|character_set_\w+|collation_connection|names|character|charset|password"
    r"|(?:default_)?storage_engine|foreign_key_checks"
)
_ASSIGNMENT = re.compile(
    r"(?:(?:@@)?(?:session|local)(?:\s+|\.))?(?:@@|@)?`?(?P<name>[\w.$]+)`?\s*(?::?=)\s*(?P<value>.*)"
    r"|(?P<word>names|character\s+set|charset)\s+(?P<charset>.*)"
    r"|(?:(?:session|local)\s+)?transaction\s+(?P<transaction>.*)",
    re.IGNORECASE | re.DOTALL,
)
_COMMA = re.compile(r""",(?=(?:[^'"()]|'[^']*'|"[^"]*"|\([^()]*\))*$)""")


def _charset(text: str) -> str:
    if text.lower() not in _UTF8:
        raise ValueError("utf8mb4: text is always sent so, and the server translates it to what the column has")
    return text


def _collation(text: str) -> str:
    if not re.fullmatch(r"utf8\w*", text, re.ASCII):
        raise ValueError("one of utf8mb4, such as utf8mb4_unicode_ci")
    return text


def _sql_mode(text: str) -> str:
    if not re.fullmatch(r"['\"]?([A-Za-z_0-9]+(,[A-Za-z_0-9]+)*)?['\"]?", text):
        raise ValueError("a list of modes, such as STRICT_TRANS_TABLES,NO_ZERO_DATE")
    return text.strip("'\"")


def _flags(text: str) -> int:
    number: int = WHOLE.read(text)
    if number & ~_HARMLESS_FLAGS:
        raise ValueError("a sum of flags that leave the protocol alone, such as 65536")
    return number | FOUND_ROWS


def _statement(text: str) -> str:
    """Return a statement that only sets variables, and none on which a unit of work or its text depends.

    Raises:
        ValueError: It is another one. The message says what may stand there.
    """
    statement = re.match(r"set\s+(.*?);?\s*\Z", text.strip(), re.IGNORECASE | re.DOTALL)
    if statement is None or re.search(r";|/\*|--|#|\\", statement[1]):
        raise ValueError("one SET of session variables, such as SET time_zone='+00:00'")
    for part in _COMMA.split(statement[1]):
        match = _ASSIGNMENT.fullmatch(part.strip())
        if match is None:
            raise ValueError("one SET of session variables, such as SET time_zone='+00:00'")
        if match["word"] and match["charset"].strip("'\" ").split()[0].lower().strip("'\"") in _UTF8:
            continue
        name = (match["name"] or match["word"] or "").lower()
        if _PROMISED.fullmatch(name.split()[0] if name else ""):
            raise ValueError("a SET of other variables: a run is one transaction, and its text UTF-8")
    return text


_UNIT = "a run is one transaction"
_BOUNDS = "connect_timeout and statement_timeout are the profile's own keys"
_ANOTHER_DRIVERS = "it is another driver's, which does not connect here"

OPTIONS: Mapping[str, Option] = {
    "unix_socket": TEXT,
    "charset": Option(_charset).but("text is always sent as utf8mb4"),
    "collation": Option(_collation).for_sync(),
    "sql_mode": Option(_sql_mode),
    "init_command": Option(_statement),
    "client_flag": Option(_flags, "a whole number"),
    "local_infile": FLAG,
    "binary_prefix": FLAG,
    "max_allowed_packet": WHOLE,
    "bind_address": TEXT.for_sync(),
    "server_public_key": TEXT.for_sync(),
    "stmt_cache_size": WHOLE.for_async(),
    "passwd": TEXT.but("it is the password"),
    "ssl_key_password": TEXT.but("it is the key's, which is read with it"),
    "autocommit": FLAG.but(_UNIT),
    "use_unicode": FLAG.but("text is always sent as utf8mb4"),
    **dict.fromkeys(("read_timeout", "write_timeout"), TEXT.but(_BOUNDS)),
    **dict.fromkeys(
        ("auth_plugin", "use_pure", "buffered", "raise_on_warnings", "get_warnings", "consume_results", "force_ipv6"),
        TEXT.but(_ANOTHER_DRIVERS),
    ),
    "allow_local_infile": FLAG.but(_ANOTHER_DRIVERS),
    "compress": FLAG.but("the drivers do not compress"),
}
