"""`dbctl run package.module:function`: a service's own function in a unit of work, on every database."""

from collections.abc import Iterator

import pytest

from tests.services.running import Service, fleet_database, line_of, lite, service

__all__ = ["fleet_database", "lite", "service"]


def test_it_is_committed_and_what_it_returns_is_shown(service: Service) -> None:
    result = service.dbctl.ok("run", "fleet.seed:add", "--name", "Argo", "--count", "2", "--tons", "7", "--json")
    assert [(row["name"], row["tons"]) for row in result.json] == [("Argo0", 7), ("Argo1", 7)]
    assert all(row["id"] for row in result.json)
    assert service.ships == {"Argo0", "Argo1"}


def test_one_that_returns_nothing_shows_nothing(service: Service) -> None:
    result = service.dbctl.ok("run", "fleet.seed:first")
    assert (result.out, result.talk) == ("", "")
    assert service.ships == {"Argo"}


@pytest.mark.parametrize("function", ["fleet.seed:fail", "fleet.aio:fail"])
def test_an_error_of_its_own_is_one_line_and_rolls_all_back(service: Service, function: str) -> None:
    result = service.dbctl("run", function)
    assert (result.code, result.out) == (1, ""), str(result)
    place = line_of(function.partition(":")[0].removeprefix("fleet."), 'LookupError("no harbour")')
    assert result.talk.startswith("dbctl: error: LookupError: no harbour (")
    assert result.talk.endswith(f"{place})\n")
    assert result.talk.count("\n") == 1
    assert service.ships == set()


def test_what_the_database_refuses_is_told_as_ever_with_the_line_that_asked(service: Service) -> None:
    result = service.dbctl("run", "fleet.seed:twice")
    assert result.code == 1, str(result)
    assert "dbctl: error: " in result.err
    assert "seed.py, line " in result.err
    assert "IntegrityError" not in result.err
    assert service.ships == set()


def test_async_functions_are_run_by_the_async_driver(service: Service) -> None:
    assert service.dbctl.ok("run", "fleet.aio:add", "--name", "Zephyr", "--json").json["name"] == "Zephyr"
    assert service.dbctl.ok("run", "fleet.aio:on_a_session", "--json").json == {"value": "added"}
    assert service.ships == {"Zephyr", "Sync"}
    assert service.dbctl.ok("run", "fleet.aio:names", "--read-only", "--output", "jsonl").lines == [
        '{"value": "Sync"}',
        '{"value": "Zephyr"}',
    ]


def test_an_async_connection_is_in_the_unit_of_work_and_an_engine_is_not(service: Service) -> None:
    assert service.dbctl.ok("run", "fleet.aio:on_a_connection", "--dry-run", "--json").json["value"] == 1
    assert service.ships == set()
    refused = service.dbctl("run", "fleet.aio:on_a_connection", "--commits", "--strict")
    assert refused.code == 1
    assert f"{line_of('aio', 'await connection.commit()')} commits by itself" in refused.err
    assert service.ships == set()
    assert service.dbctl.ok("run", "fleet.aio:on_an_engine", "--json").json == {"value": "Engine"}
    assert service.dbctl.ok("run", "fleet.aio:on_a_connection", "--json").json == {"value": 2}
    assert service.ships == {"Engine", "Linked"}


@pytest.mark.parametrize("function", ["fleet.seed:commit", "fleet.aio:commit"])
def test_one_that_commits_by_itself_is_told_by_its_line(service: Service, function: str) -> None:
    result = service.dbctl.ok("run", function, "--quiet")
    (line,) = result.err.splitlines()
    module = function.partition(":")[0].removeprefix("fleet.")
    assert line.startswith("dbctl: ")
    assert f"{module}.py, line " in line
    assert line.endswith(" commits by itself: what was done until there stays, whatever comes after it")
    assert service.ships == {"Committed", "After"}


@pytest.mark.parametrize("function", ["fleet.seed:commit", "fleet.aio:commit"])
@pytest.mark.parametrize("term", ["--dry-run", "--strict"])
def test_such_a_commit_can_be_refused_at_its_line(service: Service, function: str, term: str) -> None:
    result = service.dbctl("run", function, term)
    assert result.code == 1, str(result)
    assert "commits by itself, which is refused here; all of it is rolled back" in result.err
    assert service.ships == set()


@pytest.mark.parametrize("term", ["--dry-run", "--strict"])
def test_one_that_passes_over_the_refusal_commits_nothing(service: Service, term: str) -> None:
    result = service.dbctl("run", "fleet.seed:commit", "--passing", term)
    assert result.code == 1, str(result)
    assert "commits by itself, which is refused here" in result.err
    assert service.ships == set()


@pytest.mark.parametrize("term", ["--dry-run", "--strict"])
def test_a_commit_on_the_drivers_own_connection_is_told_truthfully(service: Service, term: str) -> None:
    result = service.dbctl("-p", service.database.profile, "run", "fleet.seed:commit_below", term)
    assert result.code == 1, str(result)
    assert result.err.endswith("; leave the commit to dbctl, which makes it at the end\n")
    assert "the function has ended the transaction past its session: what was committed by that stays" in result.err
    assert "rolled back, nothing is committed" not in result.err
    assert service.ships == {"Below"}


def test_what_stays_of_that_is_told_where_it_fails_later(service: Service) -> None:
    result = service.dbctl("run", "fleet.seed:commit_below", "--failing")
    assert result.code == 1, str(result)
    assert "dbctl: what was committed at the driver's own connection stays\n" in result.err
    assert "dbctl: error: LookupError: no wind" in result.err
    assert service.ships == {"Below"}


ENDING = {
    "SET autocommit = 1": ["SET autocommit = 1"],
    "PREPARE": ["PREPARE s FROM 'COMMIT'", "EXECUTE s"],
    "a comment that is run": ["/*!40000 COMMIT */"],
    "a procedure": ["CALL commits()"],
}


@pytest.fixture
def commits(service: Service) -> Iterator[Service]:
    """The service on a MySQL or MariaDB that has a procedure which commits."""
    if service.database.dialect != "mysql":
        pytest.skip("what commits unseen is MySQL's and MariaDB's")
    service.database.execute("CREATE PROCEDURE commits() COMMIT")
    yield service
    service.database.execute("DROP PROCEDURE commits")


@pytest.mark.parametrize("what", ENDING)
@pytest.mark.parametrize("term", ["", "--dry-run", "--strict"])
def test_a_statement_that_ends_the_transaction_unseen_is_told(commits: Service, what: str, term: str) -> None:
    service = commits
    said = [word for statement in ENDING[what] for word in ("--statement", statement)]
    result = service.dbctl("run", "fleet.seed:run_sql", *said, *filter(None, [term]))
    assert result.code == bool(term), str(result)
    place = line_of("seed", "exec_driver_sql(one)")
    assert f"{place} has ended the transaction past its session: what was committed by that stays" in result.err
    assert service.ships == ({"Before"} if term else {"Before", "After"})


def test_what_a_connection_has_committed_is_told_and_nothing_else(service: Service) -> None:
    result = service.dbctl("run", "fleet.seed:commit_connection_and_fail")
    assert result.code == 1, str(result)
    commits, stays, error = result.talk.splitlines()
    assert " commits by itself" in commits
    assert stays.endswith(" stays")
    assert error.startswith("dbctl: error: LookupError: no wind")
    assert service.ships == {"Kept"}


def test_what_stays_of_one_that_fails_later_is_told(service: Service) -> None:
    result = service.dbctl("run", "fleet.seed:commit_and_fail")
    assert result.code == 1, str(result)
    commits, stays, error = result.talk.splitlines()
    assert stays.endswith(" stays")
    assert commits.partition(" commits")[0].removeprefix("dbctl: ") in stays
    assert error.startswith("dbctl: error: LookupError: no wind")
    assert service.ships == {"Committed"}


def test_a_savepoint_is_no_commit(service: Service) -> None:
    assert service.dbctl.ok("run", "fleet.seed:savepoint", "--strict").talk == ""
    service.dbctl.ok("run", "fleet.seed:first", "--dry-run")
    assert service.ships == {"Nested"}


def test_read_only_lets_the_database_refuse_to_write(service: Service) -> None:
    result = service.dbctl("run", "fleet.seed:first", "--read-only")
    assert result.code == 1, str(result)
    assert "read" in result.err.lower()
    assert service.ships == set()


def test_read_only_refuses_also_what_ends_the_transaction(service: Service) -> None:
    result = service.dbctl("run", "fleet.seed:create_in_sql", "--read-only")
    assert result.code == 1, str(result)
    assert "read" in result.err.lower()
    assert "no table is called dock" in service.dbctl("tables", "dock").err


@pytest.mark.parametrize(("code", "kept"), [(0, {"Leaving"}), (3, set())])
def test_its_exit_code_is_kept(service: Service, code: int, kept: set[str]) -> None:
    result = service.dbctl("run", "fleet.seed:leave", "--code", str(code))
    assert result.code == code, str(result)
    assert ("it has ended itself with exit code 3" in result.err) == bool(code)
    assert service.ships == kept


def test_rows_and_models_are_shown(service: Service) -> None:
    service.dbctl.ok("run", "fleet.seed:add", "--name", "Argo", "--count", "2", "--tons", "7")
    run = service.dbctl
    assert run.ok("run", "fleet.seed:rows", "--output", "tsv").out == "name\ttons\nArgo0\t7\nArgo1\t7\n"
    assert run.ok("run", "fleet.seed:rows", "--output", "tsv", "--read-only").out == "name\ttons\nArgo0\t7\nArgo1\t7\n"
    assert run.ok("run", "fleet.seed:one_ship", "--json").json["tons"] == 7
    assert run.ok("run", "fleet.seed:pairs", "--output", "tsv").lines[0] == "Ship.id\tShip.name\tShip.tons\tletters"
    assert run.ok("run", "fleet.seed:pairs", "--json").json[0]["Ship"]["name"].startswith("Argo")
    assert run.ok("run", "fleet.seed:total", "--json").json == {"ships": 2}
    assert run.ok("run", "fleet.seed:scalar", "--json").json == {"value": 42}


@pytest.mark.parametrize("function", ["commit", "commit_in_sql"])
def test_a_commit_that_is_seen_by_the_database_alone_is_refused_too(service: Service, function: str) -> None:
    result = service.dbctl("run", f"fleet.seed:{function}", "--strict")
    assert result.code == 1, str(result)
    assert "commits by itself" in result.err
    assert service.ships == set()


def test_the_engine_is_no_unit_of_work(service: Service) -> None:
    assert service.dbctl.ok("run", "fleet.seed:by_engine", "--json").json == {"value": 1}
    assert service.ships == {"Engine"}
    assert "--dry-run" not in service.dbctl.ok("run", "fleet.seed:by_engine", "--help").out


def test_a_lock_keeps_others_out(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    from dbctl import advisory_lock
    from dbctl.profiles import Profiles

    for name, value in service.database.env.items():
        monkeypatch.setenv(name, value)
    profile = Profiles.load(str(service.dbctl.cwd / "profiles.toml"), name=service.database.profile).select()
    with advisory_lock("nightly", profile):
        for function in ("fleet.seed:first", "fleet.aio:add", "fleet.seed:by_nothing"):
            assert service.dbctl("run", function, "--lock", "nightly").code == 7
    assert service.dbctl.ok("run", "fleet.seed:by_nothing", "--lock", "nightly", "--times", "2", "--json").json == {
        "value": 42
    }
    assert service.ships == set()


@pytest.mark.parametrize("function", ["fleet.seed:sleeps", "fleet.aio:sleeps"])
def test_a_deadline_rolls_it_back(service: Service, function: str) -> None:
    result = service.dbctl("run", function, "--deadline", "1.5")
    assert result.code == 5, str(result)
    assert service.ships == set()
