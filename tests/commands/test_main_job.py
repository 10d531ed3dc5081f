"""The main job, line by line as a person types it."""

import re

from tests.harness.cli import Dbctl
from tests.harness.database import TestDatabase
from tests.harness.forked import Forked
from tests.harness.result import Result

AT = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def do_the_main_job(dbctl: Dbctl, *options: str) -> Result:
    """Run the lines of the main job, check what each one shows, and return what ping said."""

    def run(*args: str) -> Result:
        return dbctl.ok(*args, *options)

    created = run("init-tables")
    assert created.rows == [{"table": name, "state": "created"} for name in ("team", "hero", "transfer_log")]
    assert "these are the sample's tables" in created.err
    assert [row["state"] for row in run("init-tables").rows] == ["exists"] * 3

    run("teams", "add", "Preventers", "--headquarters", "Sharp Tower")
    hero = ("Spider-Boy", "--secret-name", "Pedro Parqueador", "--age", "16", "--team", "Preventers")
    assert run("heroes", "add", *hero).lines == [
        "id\t1",
        "name\tSpider-Boy",
        "age\t16",
        "team_id\t1",
        "team\tPreventers",
    ]
    [listed] = run("heroes", "list").rows
    assert listed == {"id": "1", "name": "Spider-Boy", "age": "16", "team_id": "1", "team": "Preventers"}
    for of_team in ("Preventers", "1"):
        assert run("heroes", "list", "--team", of_team, "--limit", "1", "--after", "0").rows == [listed]

    run("teams", "add", "Z-Force")
    moved = run("transfer", "Spider-Boy", "--from", "Preventers", "--to", "Z-Force", "--json").json
    assert AT.fullmatch(moved.pop("at"))
    teams = {"from_team_id": 1, "from_team": "Preventers", "to_team_id": 2, "to_team": "Z-Force"}
    assert moved == {"id": 1, "hero_id": 1, "hero": "Spider-Boy", **teams}
    [logged] = run("transfers", "list", "--json").json
    assert AT.fullmatch(logged.pop("at"))
    assert logged == moved

    stats = run("pool-stats", "--duration", "0.1", "--json").json
    assert stats["run"]["checkouts"] > 0
    assert [row["default"] for row in run("profiles", "list", "--json").json].count(True) == 1
    assert {"name", "url", "driver"} <= {row["key"] for row in run("profiles", "show", "--json").json}
    return run("ping", "--json")


def test_the_main_job_on_the_embedded_default(dbctl: Dbctl) -> None:
    answer = do_the_main_job(dbctl).json
    assert (answer["profile"], answer["server"], answer["encrypted"]) == ("development", "SQLite", None)
    assert [file.name for file in dbctl.cwd.iterdir()] == ["dev.db"]


def test_the_main_job_on_both_servers_of_one_file(
    dbctl: Dbctl, postgres_database: TestDatabase, mariadb_database: TestDatabase
) -> None:
    databases = (postgres_database, mariadb_database)
    (dbctl.cwd / "profiles.toml").write_text("".join(each.toml for each in databases), encoding="utf-8")
    env = {name: value for each in databases for name, value in each.env.items()}
    forked = Forked(cwd=dbctl.cwd, home=dbctl.home, env=env)
    for each, server in zip(databases, ("PostgreSQL", "MariaDB"), strict=True):
        answer = do_the_main_job(forked, "--profile", each.profile).json
        assert (answer["profile"], answer["server"], answer["database"]) == (each.profile, server, each.name)
        assert answer["encrypted"] is True


COMMANDS = [
    ["teams", "add", "Preventers"],
    ["teams", "list"],
    ["heroes", "add", "Spider-Boy", "--secret-name", "Pedro"],
    ["heroes", "list"],
    ["heroes", "show", "1"],
    ["heroes", "update", "1", "--age", "3"],
    ["heroes", "remove", "1"],
    ["transfer", "1", "--from", "1", "--to", "2"],
    ["transfers", "list"],
]


def test_without_tables_each_command_says_how_to_create_them(quick: Dbctl, database: TestDatabase) -> None:
    database.execute("CREATE TABLE other (x INTEGER)")
    for command in COMMANDS:
        result = quick(*command)
        assert (result.code, result.out, result.talk.count("\n")) == (1, "", 1), str(result)
        assert result.talk.startswith("dbctl: error: ")
        assert result.err.endswith("; create the tables with: dbctl init-tables\n")
