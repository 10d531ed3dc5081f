"""PostgreSQL's roles: what each is granted, in all schemas of a database, with tables to come too.

https://www.postgresql.org/docs/current/sql-alterdefaultprivileges.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from dbctl.backends.base import Backend
from dbctl.backends.databases import Purpose

if TYPE_CHECKING:
    from sqlalchemy import Connection

_SCHEMAS = (
    "SELECT nspname FROM pg_namespace"
    " WHERE nspname <> 'information_schema' AND nspname !~ '^pg_' AND has_schema_privilege(oid, 'CREATE') ORDER BY 1"
)

# Who makes tables here: whoever asks, who owns the database, a schema or a table, and who was granted CREATE.
_CREATORS = """
SELECT rolname, pg_has_role(current_user, oid, 'USAGE') AS mine, rolsuper FROM pg_roles
WHERE rolname !~ '^pg_' AND (
    rolname = current_user
    OR oid = (SELECT datdba FROM pg_database WHERE datname = current_database())
    OR oid IN (SELECT nspowner FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')
    OR oid IN (SELECT relowner FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
               WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND nspname !~ '^pg_' AND nspname <> 'information_schema')
    OR oid IN (SELECT acl.grantee FROM pg_namespace, aclexplode(nspacl) acl
               WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND acl.privilege_type = 'CREATE')
)
ORDER BY 1
"""

# What roles have been promised of tables and sequences to come, by whoever makes them.
_PROMISED = """
SELECT nspname, defaclobjtype, rolname, string_agg(DISTINCT acl.privilege_type, ', ')
FROM pg_default_acl JOIN pg_namespace n ON n.oid = defaclnamespace, aclexplode(defaclacl) acl
JOIN pg_roles r ON r.oid = acl.grantee
WHERE defaclobjtype IN ('r', 'S') AND acl.grantee <> defaclrole GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""

# Who owns tables, and whether whoever asks may hand membership on. Up to PostgreSQL 15 a role may do that for itself,
# and one with CREATEROLE for all; from 16 on nobody may become a member of a role that is his own.
# https://www.postgresql.org/docs/current/sql-grant.html
_OWNERS = """
SELECT DISTINCT rolname, NOT rolsuper AND (
    pg_has_role(current_user, r.oid, 'MEMBER WITH ADMIN OPTION')
    OR current_setting('server_version_num')::int < 160000
        AND (rolname = session_user OR (SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user))
) FROM pg_class c
JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_roles r ON r.oid = relowner
WHERE relkind IN ('r', 'p', 'v', 'm', 'S') AND rolname <> %(name)s
    AND nspname !~ '^pg_' AND nspname <> 'information_schema'
ORDER BY 1
"""

_IS_MEMBER = """
SELECT rolsuper OR EXISTS (
    SELECT FROM pg_roles r WHERE r.rolname = %(name)s AND pg_has_role(current_user, r.oid, 'USAGE')
) FROM pg_roles WHERE rolname = current_user
"""

_SCHEMA = {Purpose.READONLY: "USAGE", Purpose.APP: "USAGE", Purpose.MIGRATOR: "USAGE, CREATE"}
_TABLES = {Purpose.READONLY: "SELECT", Purpose.APP: "SELECT, INSERT, UPDATE, DELETE", Purpose.MIGRATOR: "ALL"}
_SEQUENCES = {Purpose.READONLY: "SELECT", Purpose.APP: "USAGE, SELECT, UPDATE", Purpose.MIGRATOR: "ALL"}
_OBJECTS = {"r": "TABLES", "S": "SEQUENCES"}


class PostgreSQLRoles(Backend):
    """How roles are made."""

    def identifier(self, name: str) -> str:
        """Quote it as standard SQL does."""
        return '"' + name.replace('"', '""') + '"'

    @staticmethod
    def text_literal(text: str) -> str:
        """Return a text as a literal, in which no backslash has a meaning: dbctl's sessions conform to the standard."""
        escaped = text.replace("'", "''")
        return f"E'{escaped.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{escaped}'"

    def has_role(self, connection: Connection, name: str) -> bool:
        """Ask the catalog, which all may read."""
        query = "SELECT count(*) FROM pg_roles WHERE rolname = %(name)s"
        return bool(connection.exec_driver_sql(query, {"name": name}).scalar())

    def role_creating(self, connection: Connection, name: str, password: str) -> str:
        """Have libpq make the verifier, as the server's password_encryption has it: the server and its log see no more.

        https://www.postgresql.org/docs/current/libpq-misc.html#LIBPQ-PQENCRYPTPASSWORDCONN
        """
        from psycopg2.extensions import encrypt_password

        driver_connection: Any = connection.connection.driver_connection
        verifier = encrypt_password(password, name, driver_connection)
        return f"CREATE ROLE {self.identifier(name)} LOGIN PASSWORD {self.text_literal(verifier)}"

    def role_grants(self, connection: Connection, name: str, purpose: Purpose) -> Sequence[str]:
        """Grant it what is there, and have those who make tables promise what is to come."""
        database = connection.exec_driver_sql("SELECT current_database()").scalar_one()
        schemas = [schema for (schema,) in connection.exec_driver_sql(_SCHEMAS)]
        grants = [f"GRANT CONNECT ON DATABASE {self.identifier(database)} TO {self.identifier(name)}"]
        for schema in schemas:
            grants += self._in_schema(connection, self.identifier(schema), self.identifier(name), purpose)
        if purpose is Purpose.MIGRATOR:
            grants.append(f"GRANT CREATE, TEMPORARY ON DATABASE {self.identifier(database)} TO {self.identifier(name)}")
            grants += self._as_migrator(connection, name)
        return grants

    def _in_schema(self, connection: Connection, schema: str, role: str, purpose: Purpose) -> Iterator[str]:
        yield f"GRANT {_SCHEMA[purpose]} ON SCHEMA {schema} TO {role}"
        yield f"GRANT {_TABLES[purpose]} ON ALL TABLES IN SCHEMA {schema} TO {role}"
        yield f"GRANT {_SEQUENCES[purpose]} ON ALL SEQUENCES IN SCHEMA {schema} TO {role}"
        for creator, mine, _ in connection.exec_driver_sql(_CREATORS):
            if mine and self.identifier(creator) != role:
                promise = f"ALTER DEFAULT PRIVILEGES FOR ROLE {self.identifier(creator)} IN SCHEMA {schema} GRANT"
                yield f"{promise} {_TABLES[purpose]} ON TABLES TO {role}"
                yield f"{promise} {_SEQUENCES[purpose]} ON SEQUENCES TO {role}"

    def _as_migrator(self, connection: Connection, name: str) -> Iterator[str]:
        """Have it promise what others do of what it will make, and make it a member of those who own what is there.

        Whoever promises for a role has to be a member of it, which who creates a role is not from PostgreSQL 16 on; and
        an owner alone alters a table.
        """
        role = self.identifier(name)
        promised = [one for one in connection.exec_driver_sql(_PROMISED) if one[2] != name]
        joins = promised and not connection.exec_driver_sql(_IS_MEMBER, {"name": name}).scalar()
        if joins:
            yield f"GRANT {role} TO CURRENT_USER"
        for schema, kind, grantee, privileges in promised:
            promise = f"ALTER DEFAULT PRIVILEGES FOR ROLE {role} IN SCHEMA {self.identifier(schema)}"
            yield f"{promise} GRANT {privileges} ON {_OBJECTS[kind]} TO {self.identifier(grantee)}"
        if joins:
            yield f"REVOKE {role} FROM CURRENT_USER"
        for owner, may in connection.exec_driver_sql(_OWNERS, {"name": name}):
            if may:
                yield f"GRANT {self.identifier(owner)} TO {role}"

    def role_remarks(self, connection: Connection, name: str, purpose: Purpose) -> Sequence[str]:
        """Name the owners whose tables it can't alter, and the creators whose tables to come it can't see."""
        if purpose is Purpose.MIGRATOR:
            owners = connection.exec_driver_sql(_OWNERS, {"name": name})
            hint = f"give them to it with ALTER TABLE … OWNER TO {self.identifier(name)}"
            return [f"it can't alter the tables that {owner} owns: {hint}" for owner, may in owners if not may]
        creators = connection.exec_driver_sql(_CREATORS)
        return [
            f"of tables that {creator} will make it sees none: {creator} has to grant them, or to create this role"
            for creator, mine, is_superuser in creators
            if not mine and not is_superuser and creator != name
        ]
