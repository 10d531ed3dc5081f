"""`--all` of SQLite: virtual tables with their rows, and none of the tables in which these keep them."""

from tests.bulk.profiles import with_profiles
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked


def test_a_virtual_tables_rows_are_its_own_and_an_index_of_others_is_left_out(
    dbctl: Forked, sqlite_database: TestDatabase
) -> None:
    for statement in (
        "CREATE TABLE doc (id INTEGER PRIMARY KEY, body TEXT)",
        "CREATE TABLE note_own (id INTEGER PRIMARY KEY)",
        "CREATE VIRTUAL TABLE note USING fts5(title, body)",
        "CREATE VIRTUAL TABLE doc_fts USING fts5(body, content = 'doc', content_rowid = 'id')",
        "CREATE VIRTUAL TABLE place USING rtree(id, low, high)",
        "INSERT INTO note VALUES ('a', 'b')",
        "INSERT INTO place VALUES (1, 2, 3)",
    ):
        sqlite_database.execute(statement)
    on = with_profiles(dbctl, it=sqlite_database)
    found = on.ok("export", "--all", "out", "--format", "csv", "--json").json
    assert sorted((one["table"], one["rows"]) for one in found) == [
        *(("doc", 0), ("note", 1), ("note_own", 0), ("place", 1))
    ]
    assert (on.cwd / "out" / "note.csv").read_text() == "title,body\na,b\n"
    sqlite_database.execute("DELETE FROM note")
    on.ok("import", "out/note.csv", "note")
    assert sqlite_database.execute("SELECT title FROM note WHERE note MATCH 'b'") == [("a",)]
