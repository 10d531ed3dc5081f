"""UUIDs, which SQLAlchemy keeps as 32 digits where a database has no type for them: a service finds its rows again."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine, create_engine
from sqlmodel import Session

from tests.bulk.profiles import with_profiles
from tests.bulk.shop import Base, Node
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked

ROOT, LEAF = UUID("3ddc3410-61b3-4c6f-8a2b-0123456789ab"), UUID("550e8400-e29b-41d4-a716-446655440000")
TOKEN = "12345678-1234-1234-1234-12345678"
"""No UUID, though of as many characters as its digits."""


def _engine(database: TestDatabase) -> Engine:
    engine = create_engine(database.url)
    Base.metadata.create_all(engine)
    return engine


def _with_models(dbctl: Forked, **databases: TestDatabase) -> Forked:
    on = with_profiles(dbctl, **databases)
    path = on.cwd / "profiles.toml"
    path.write_text(f'models = ["tests.bulk.shop"]\n{path.read_text()}')
    return on


def _finds(engine: Engine) -> bool:
    with Session(engine) as session:
        leaf = session.get(Node, LEAF)
        return leaf is not None and leaf.parent_id == ROOT and leaf.token == TOKEN


def test_a_service_finds_its_rows_on_the_other_side(
    dbctl: Forked, server_database: TestDatabase, tmp_path: Path
) -> None:
    lite, made = TestDatabase.on_file(tmp_path / "lite.db"), TestDatabase.on_file(tmp_path / "made.db")
    made.execute("CREATE TABLE there (id integer)")
    server, local, created = _engine(server_database), _engine(lite), create_engine(made.url)
    on = _with_models(dbctl, one=server_database, two=lite, three=made)
    with Session(server) as session:
        session.add(Node(id=ROOT, token="root"))
        session.flush()
        session.add(Node(id=LEAF, parent_id=ROOT, token=TOKEN))
        session.commit()
    on.ok("copy", "node", "--from", "one", "--to", "two", "--verify")
    on.ok("copy", "node", "--from", "one", "--to", "three", "--create", "--verify")
    assert (_finds(local), _finds(created)) == (True, True)

    on.ok("-p", "one", "export", "node", "node.csv")
    on.ok("-p", "two", "import", "node.csv", "node", "--truncate")
    assert _finds(local)

    Base.metadata.drop_all(server)
    on.ok("copy", "node", "--from", "two", "--to", "one", "--create", "--verify")
    assert _finds(server)
    Base.metadata.drop_all(server)
    Base.metadata.create_all(server)
    on.ok("copy", "node", "--from", "two", "--to", "one", "--verify")
    assert _finds(server)
    for engine in (server, local, created):
        engine.dispose()


def test_dashes_braces_and_capitals_are_read_and_what_is_no_uuid_is_refused(dbctl: Forked, tmp_path: Path) -> None:
    lite = TestDatabase.on_file(tmp_path / "lite.db")
    engine = _engine(lite)
    on = _with_models(dbctl, two=lite)
    lines = [f"{{{str(ROOT).upper()}}},,root", f"{LEAF},{ROOT.hex},{TOKEN}"]
    (on.cwd / "node.csv").write_text("\n".join(["id,parent_id,token", *lines]))
    on.ok("-p", "two", "import", "node.csv", "node")
    assert _finds(engine)
    (on.cwd / "bad.csv").write_text(f"id,token\n{TOKEN},x\n")
    result = on("-p", "two", "import", "bad.csv", "node")
    assert (result.code, "it is no UUID" in result.err) == (1, True), str(result)
    engine.dispose()


@pytest.mark.parametrize("database", ["mysql"], indirect=True)
def test_sixteen_bytes_have_them_too(dbctl: Forked, database: TestDatabase, tmp_path: Path) -> None:
    lite = TestDatabase.on_file(tmp_path / "lite.db")
    lite.execute("CREATE TABLE node (id uuid PRIMARY KEY)")
    lite.execute(f"INSERT INTO node VALUES ('{LEAF}')")
    database.execute("CREATE TABLE node (id binary(16) PRIMARY KEY)")
    on = with_profiles(dbctl, one=lite, two=database)
    on.ok("copy", "node", "--from", "one", "--to", "two", "--verify")
    assert database.execute("SELECT id FROM node")[0][0] == LEAF.bytes
    lite.execute("DELETE FROM node")
    on.ok("copy", "node", "--from", "two", "--to", "one", "--verify")
    assert UUID(lite.execute("SELECT id FROM node")[0][0]) == LEAF
