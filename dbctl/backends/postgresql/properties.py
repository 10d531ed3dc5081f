"""What a PostgreSQL database is like by itself, which pg_dump writes only where it also creates it under its old name.

https://www.postgresql.org/docs/current/sql-alterdatabase.html
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.backups import Backups
from dbctl.backends.postgresql.engine import PostgreSQL
from dbctl.errors import WorkRefused

if TYPE_CHECKING:
    from sqlalchemy import Connection

_log = logging.getLogger("dbctl")

# The owner's own rights are left out: they are the default, and the owner may be another where it is restored.
_PROPERTIES = """
SELECT json_build_object(
    'owner', pg_get_userbyid(d.datdba), 'encoding', pg_encoding_to_char(d.encoding),
    'collate', d.datcollate, 'ctype', d.datctype, 'provider', CAST(to_json(d) ->> 'datlocprovider' AS text),
    'locale', coalesce(to_json(d) ->> 'datlocale', to_json(d) ->> 'daticulocale'),
    'connections', d.datconnlimit, 'template', d.datistemplate,
    'tablespace', (SELECT nullif(spcname, 'pg_default') FROM pg_tablespace t WHERE t.oid = d.dattablespace),
    'comment', shobj_description(d.oid, 'pg_database'),
    'public', (SELECT json_agg(privilege_type) FROM aclexplode(d.datacl) WHERE grantee = 0),
    'has_acl', d.datacl IS NOT NULL,
    'grants', (SELECT json_agg(json_build_array(pg_get_userbyid(grantee), privilege_type, is_grantable)
                               ORDER BY grantee, privilege_type)
               FROM aclexplode(d.datacl) WHERE grantee <> 0 AND grantee <> d.datdba),
    'settings', (SELECT json_agg(json_build_array(CASE WHEN setrole <> 0 THEN pg_get_userbyid(setrole) END, one)
                                 ORDER BY setrole, one)
                 FROM pg_db_role_setting, unnest(setconfig) one WHERE setdatabase = d.oid))
FROM pg_database d WHERE d.datname = current_database()
"""

_LISTS = {"datestyle", "search_path", "local_preload_libraries", "session_preload_libraries", "temp_tablespaces"}
"""Settings that are lists of names: the server has them quoted as they are to be said."""


class PostgreSQLProperties(PostgreSQL, Backups):
    """How a database is made that is like another one, and what keeps one from being dropped."""

    database_bound = ("55006", "42809")  # object_in_use, such as by a subscription; wrong_object_type: a template

    def properties(self, connection: Connection) -> Mapping[str, Any]:
        """Ask the catalogue; a server knows some of it by other names, or not yet."""
        found = connection.exec_driver_sql(_PROPERTIES).scalar_one()
        properties: Mapping[str, Any] = json.loads(found) if isinstance(found, str) else found
        return {key: value for key, value in properties.items() if value is not None}

    def at_hand(self, connection: Connection, found: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask whether its tablespace is there, without which it is in the server's usual one."""
        place = found.get("tablespace")
        query = "SELECT count(*) FROM pg_tablespace WHERE spcname = {}"
        if place is None or connection.exec_driver_sql(query.format(self.text_literal(place))).scalar():
            return found
        _log.warning("the server has no tablespace %s, where the database was: it is in the usual one", place)
        return {key: value for key, value in found.items() if key != "tablespace"}

    def subscriptions(self, connection: Connection, name: str, *, enabled: bool = False) -> Sequence[str]:
        """Return the names of a database's subscriptions, or of those alone that are enabled, as identifiers in SQL."""
        query = (
            "SELECT quote_ident(subname) FROM pg_subscription JOIN pg_database d ON d.oid = subdbid"
            f" WHERE datname = {self.text_literal(name)} AND subenabled >= {enabled} ORDER BY 1"
        )
        return list(connection.exec_driver_sql(query).scalars())

    def refuse_unmovable(self, connection: Connection, name: str) -> None:
        """Refuse one with a subscription at work, whose session begins anew however often it is ended."""
        if found := self.subscriptions(connection, name, enabled=True):
            raise WorkRefused(
                f"{self.profile.called}: {name} has a subscription at work, which is in the way: {', '.join(found)}",
                "in there: ALTER SUBSCRIPTION … DISABLE",
            )

    def remarks_on_swap(self, connection: Connection, new: str, name: str, old: str | None) -> Iterator[str]:
        """Yield what of replication is another than it was: it is bound to the database, and not to its name.

        What pg_dump writes of a subscription is disabled.
        """
        for one in self.subscriptions(connection, new):
            yield f"subscription {one} in {name} is disabled until you enable it: see first whose its slot is"
        for one in self.subscriptions(connection, name) if old else ():
            yield (
                f"subscription {one} stays in {old} as it is, and keeps that from being dropped: in there DISABLE it,"
                " SET (slot_name = NONE) where the new one is to have its slot, and drop it"
            )
        query = f"SELECT slot_name FROM pg_replication_slots WHERE database = {self.text_literal(name)} ORDER BY 1"
        for one in connection.exec_driver_sql(query).scalars() if old else ():
            yield f"replication slot {one} stays with {old}: who reads it has to begin anew with {name}"

    def is_template(self, connection: Connection, name: str) -> bool:
        """Tell whether others may be made of a database, which is not dropped then."""
        query = f"SELECT count(*) FROM pg_database WHERE datistemplate AND datname = {self.text_literal(name)}"
        return bool(connection.exec_driver_sql(query).scalar())

    def unbinding(self, connection: Connection, name: str) -> Iterator[str]:
        """Yield what drops its subscriptions and nobody's slots, and makes it no template."""
        for one in self.subscriptions(connection, name):
            yield f"ALTER SUBSCRIPTION {one} DISABLE"
            yield f"ALTER SUBSCRIPTION {one} SET (slot_name = NONE)"
            yield f"DROP SUBSCRIPTION {one}"
        yield f"ALTER DATABASE {self.identifier(name)} IS_TEMPLATE false"

    def with_properties(self, name: str, found: Mapping[str, Any], *, owner: bool) -> tuple[str, Sequence[str]]:
        """Create it of template0, which alone lets it sort otherwise than the others."""
        database = self.identifier(name)
        parts = [f"CREATE DATABASE {database} TEMPLATE template0"]
        named = {"ENCODING": "encoding", "LC_COLLATE": "collate", "LC_CTYPE": "ctype"}
        parts += [f"{word} {self.text_literal(found[key])}" for word, key in named.items() if key in found]
        if (provider := {"i": "icu", "b": "builtin"}.get(found.get("provider", ""))) and "locale" in found:
            locale = self.text_literal(found["locale"])
            parts.append(f"LOCALE_PROVIDER {provider} {'ICU' if provider == 'icu' else 'BUILTIN'}_LOCALE {locale}")
        if "tablespace" in found:
            parts.append(f"TABLESPACE {self.identifier(found['tablespace'])}")
        return " ".join(parts), list(self._afterwards(database, found, owner=owner))

    def _afterwards(self, database: str, found: Mapping[str, Any], *, owner: bool) -> Iterator[str]:
        """Yield what follows when it has its rows: a limit of its connections would be in the way of several jobs."""
        if "comment" in found:
            yield f"COMMENT ON DATABASE {database} IS {self.text_literal(found['comment'])}"
        if found.get("has_acl"):
            yield f"REVOKE ALL ON DATABASE {database} FROM PUBLIC"
            yield from (f"GRANT {right} ON DATABASE {database} TO PUBLIC" for right in found.get("public", ()))
        for role, right, grantable in found.get("grants", ()):
            option = " WITH GRANT OPTION" if grantable else ""
            yield f"GRANT {right} ON DATABASE {database} TO {self.identifier(role)}{option}"
        for role, setting in found.get("settings", ()):
            key, _, value = setting.partition("=")
            of = f"ROLE {self.identifier(role)} IN DATABASE {database}" if role else f"DATABASE {database}"
            said = _names(value) if key.lower() in _LISTS and value else self.text_literal(value)
            yield f"ALTER {of} SET {_setting(self, key)} TO {said}"
        if found.get("connections", -1) >= 0:
            yield f"ALTER DATABASE {database} CONNECTION LIMIT {int(found['connections'])}"
        if found.get("template"):
            yield f"ALTER DATABASE {database} IS_TEMPLATE true"
        if owner and "owner" in found:
            yield f"ALTER DATABASE {database} OWNER TO {self.identifier(found['owner'])}"


def _names(value: str) -> str:
    """Return a list of names as it is said; one without a character is a name in a list that was set empty."""
    return re.sub(r'"((?:[^"]|"")*)"', lambda name: name[0] if name[1] else "''", value)


def _setting(backend: PostgreSQLProperties, key: str) -> str:
    return ".".join(backend.identifier(part) for part in key.split("."))
