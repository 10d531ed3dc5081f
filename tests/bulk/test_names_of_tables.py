"""A table's name as it is typed means the same to all commands: bare, with its schema, or quoted as in SQL."""

import json

import pytest

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.shared import make_shared

ODD = '"Tbl.Dot"'


@pytest.mark.parametrize("database", ["postgresql", "mariadb"], indirect=True)
def test_a_quoted_name_with_a_dot_is_one_name(
    dbctl: Forked, database: TestDatabase, sqlite_database: TestDatabase
) -> None:
    mark = "`" if database.kind == "mariadb" else '"'
    for one, quoted in ((database, f"{mark}Tbl.Dot{mark}"), (sqlite_database, ODD)):
        one.execute(f"CREATE TABLE {quoted} (id integer PRIMARY KEY, v varchar(9))")
    on = with_profiles(dbctl, it=database, lite=sqlite_database)
    (on.cwd / "t.csv").write_text("id,v\n1,a\n2,b\n")
    for name in (ODD, "`Tbl.Dot`", "Tbl.Dot"):
        on.ok("-p", "it", "import", "t.csv", name, "--truncate")
        assert on.ok("-p", "it", "export", name, "--format", "csv").out == "id,v\n1,a\n2,b\n"
        assert on.ok("-p", "it", "describe", name, "--json").json["table"] == "Tbl.Dot"
        assert [one["table"] for one in on.ok("-p", "it", "tables", name, "--json").json] == ["Tbl.Dot"]
        [copied] = on.ok("copy", name, "--from", "it", "--to", "lite", "--truncate", "--json").json
        assert (copied["table"], copied["rows"]) == ("Tbl.Dot", 2)
    [copied] = on.ok(
        "copy", ODD, "--from", "it", "--to", "lite", "--truncate", "--where", f"{ODD}:id > 1", "--json"
    ).json
    assert copied["rows"] == 1
    on.ok("copy", ODD, "--from", "it", "--to", "lite", "--truncate", "--mask", f"{ODD}.v=null")
    assert sqlite_database.execute(f"SELECT v FROM {ODD}") == [(None,), (None,)]
    on.ok("-p", "it", "export", "--all", "out", "--exclude", ODD, "--format", "csv")
    assert list((on.cwd / "out").iterdir()) == []
    absent = on("-p", "it", "describe", '"Tbl"."Dot"')
    assert (absent.code, 'there is no table "Tbl"."Dot"' in absent.err) == (1, True), str(absent)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_schema_is_told_from_a_part_of_a_name(dbctl: Forked, database: TestDatabase) -> None:
    database.execute("CREATE SCHEMA audit")
    for place, name in enumerate(("audit.entry", '"audit.entry"', "entry", "audit.other")):
        database.execute(f"CREATE TABLE {name} (id integer)")
        database.execute(f"INSERT INTO {name} VALUES ({place})")
    on = with_profiles(dbctl, it=database)

    def read(name: str) -> int:
        return int(json.loads(on.ok("export", name, "--format", "jsonl").out)["id"])

    result = on("export", "audit.entry", "--format", "jsonl")
    assert (result.code, 'name one of audit.entry, public."audit.entry"' in result.err) == (1, True), str(result)
    assert [read(name) for name in ("audit.other", '"audit"."entry"', '"audit"."other"', "other")] == [3, 0, 3, 3]
    assert [read(name) for name in ('"audit.entry"', "entry", '"entry"', "public.entry")] == [1, 2, 2, 2]


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_two_names_that_a_target_takes_for_the_same_are_one_table_there(
    dbctl: Forked, database: TestDatabase, sqlite_database: TestDatabase
) -> None:
    database.execute('CREATE TABLE "Team" (id integer PRIMARY KEY)')
    database.execute('CREATE TABLE "Hero" (id integer PRIMARY KEY, team_id integer REFERENCES "Team")')
    database.execute('INSERT INTO "Team" VALUES (1)')
    database.execute('INSERT INTO "Hero" VALUES (1, 1)')
    sqlite_database.execute("CREATE TABLE team (id integer PRIMARY KEY)")
    on = with_profiles(dbctl, it=database, lite=sqlite_database)
    copy = ["copy", "--from", "it", "--to", "lite", "--create", "--json"]
    found = on.ok(*copy, "--all", "--verify").json
    assert [(one["table"], one["rows"]) for one in found] == [("Team", 1), ("Hero", 1)]
    assert sqlite_database.execute("PRAGMA foreign_key_list('Hero')")[0][2].lower() == "team"
    assert [one["table"] for one in on.ok(*copy, "Hero", "Hero", "--truncate").json] == ["Hero"]
    database.execute("CREATE TABLE hero (id integer PRIMARY KEY)")
    database.execute("CREATE TABLE other (id integer PRIMARY KEY)")
    database.execute('CREATE TABLE "Other" (id integer PRIMARY KEY)')
    for names in (["Hero", "hero"], ["other", "Other"]):
        refused = on(*copy, *names, "--truncate")
        assert (refused.code, f"{names[0]} and {names[1]} are one table" in refused.err) == (2, True), str(refused)
    assert "other" not in on.ok("-p", "lite", "tables").out


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_table_of_a_schema_comes_where_there_are_none(
    dbctl: Forked, database: TestDatabase, kind: str, request: pytest.FixtureRequest
) -> None:
    database.execute("CREATE SCHEMA s")
    database.execute("CREATE TABLE s.team (id integer PRIMARY KEY)")
    database.execute("CREATE TABLE s.hero (id integer PRIMARY KEY, team_id integer REFERENCES s.team)")
    database.execute("INSERT INTO s.team VALUES (1)")
    database.execute("INSERT INTO s.hero VALUES (5, 1)")
    for target in make_shared(kind, request):
        on = with_profiles(dbctl, it=database, other=target)
        copy = ["copy", "--from", "it", "--to", "other", "--json", "--verify"]
        for more in (["--create"], ["--truncate"]):
            found = on.ok(*copy, "s.hero", "s.team", *more).json
            assert [(one["table"], one["rows"]) for one in found] == [("s.team", 1), ("s.hero", 1)]
        assert target.execute("SELECT id, team_id FROM hero") == [(5, 1)]
        refused = on("-p", "other", "query", "--write", "INSERT INTO hero VALUES (6, 7)")
        assert (refused.code, "FOREIGN KEY" in refused.err.upper()) == (1, True), str(refused)
        database.execute("CREATE TABLE hero (id integer PRIMARY KEY)")
        refused = on(*copy, "hero", "s.hero", "--truncate")
        assert (refused.code, "hero and s.hero are one table in" in refused.err) == (2, True), str(refused)
