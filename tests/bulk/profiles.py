"""A profile for each of several databases."""

from tests.harness.database import TestDatabase
from tests.harness.forked import Forked


def with_profiles(dbctl: Forked, **databases: TestDatabase) -> Forked:
    """Return dbctl with a profile of each name; the first one is the default."""
    tables, passwords = [f'default = "{next(iter(databases))}"\n'], {}
    for name, database in databases.items():
        table = database.toml.replace(f"[profiles.{database.profile}", f"[profiles.{name}")
        for variable, password in database.env.items():
            table = table.replace(variable, f"{name.upper()}_PASSWORD")
            passwords[f"{name.upper()}_PASSWORD"] = password
        tables.append(table)
    (dbctl.cwd / "profiles.toml").write_text("\n".join(tables), encoding="utf-8")
    return Forked(dbctl.cwd, dbctl.home, passwords, dbctl.program, dbctl.of_tests)
