"""`dbctl profiles set`."""

import pytest

from tests.harness.cli import Dbctl

FILE = """\
# Ours
default = "pg"

[profiles.pg]  # main
url = "postgresql://app@${HOST}/app" # there
password_env = "PG_PASSWORD"
[profiles.pg.pool]
size = 7
# The other one
[profiles.my]
driver = "mysql"
host = "h"
"""


@pytest.fixture
def run(bare: Dbctl) -> Dbctl:
    (bare.cwd / "profiles.toml").write_text(FILE)
    return bare


def text(dbctl: Dbctl) -> str:
    return (dbctl.cwd / "profiles.toml").read_text()


def test_a_value_is_changed_where_it_stands(run: Dbctl) -> None:
    [row] = run.ok("profiles", "set", "pg", "pool.size=9", "--json").json
    assert row == {"profile": "pg", "key": "pool.size", "value": 9, "file": "profiles.toml"}
    assert text(run) == FILE.replace("size = 7", "size = 9")


def test_one_word_is_a_list_of_one(run: Dbctl) -> None:
    [row] = run.ok("profiles", "set", "pg", "models=app.models", "--json").json
    assert row["value"] == ["app.models"]


def test_key_and_value_may_be_two_words(run: Dbctl) -> None:
    run.ok("profiles", "set", "pg", "pool.size", "9")
    assert text(run) == FILE.replace("size = 7", "size = 9")


def test_a_new_value_stands_beside_the_others(run: Dbctl) -> None:
    run.ok("profiles", "set", "my", "port=3307", "pool.size=3")
    assert text(run) == FILE + "port = 3307\npool.size = 3\n"


def test_several_are_changed_at_once_or_none(run: Dbctl) -> None:
    alone = run("profiles", "set", "pg", "password_file=/run/pg")
    assert (alone.code, text(run)) == (3, FILE)
    assert "two sources for the password" in alone.err
    rows = run.ok("profiles", "set", "pg", "password_file=/run/pg", "--unset", "password_env", "--json").json
    assert [(row["key"], row["value"]) for row in rows] == [("password_env", None), ("password_file", "/run/pg")]
    assert text(run) == FILE.replace('password_env = "PG_PASSWORD"', 'password_file = "/run/pg"')


def test_a_table_is_taken_out_whole(run: Dbctl) -> None:
    run.ok("profiles", "set", "pg", "--unset", "pool")
    assert text(run) == FILE.replace("[profiles.pg.pool]\nsize = 7\n", "")


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["pg", "workers=none"], 3, 'profiles.toml [profiles.pg]: workers = "none": allowed is'),
        (["pg", "workerz=2"], 3, 'unknown key; did you mean "workers"?'),
        (["pg", "url=postgresql://u:hunter2@h/d"], 2, "a password would stand in the file in plain text"),
        (["pg", "--unset", "url"], 3, "profile pg: there is no url"),
        (
            ["pg", "--unset", "workers"],
            3,
            "[profiles.pg]: workers is not there; known are url, password_env, pool.size",
        ),
        (["pg", "--unset", "pool.recycle"], 3, "profiles.toml [profiles.pg]: pool.recycle is not there"),
        (["pg", "--unset", "pool.sise"], 3, 'pool.sise is not there; did you mean "pool.size"?'),
        (["pgg", "workers=2"], 3, 'no profile "pgg" in profiles.toml; did you mean "pg"?'),
        (["production", "workers=2"], 3, 'no profile "production" in profiles.toml'),
        (["pg"], 2, "there is nothing to set"),
    ],
)
def test_what_can_not_be_is_refused_and_nothing_written(words: list[str], code: int, problem: str, run: Dbctl) -> None:
    result = run("profiles", "set", *words)
    assert (result.code, result.out) == (code, "")
    assert problem in result.err
    assert "hunter2" not in result.err
    assert text(run) == FILE


def test_what_can_not_be_changed_in_place_is_left_to_the_editor(run: Dbctl) -> None:
    odd = FILE + 'models = [\n  "a", # why\n]\n'
    (run.cwd / "profiles.toml").write_text(odd)
    result = run("profiles", "set", "my", 'models=["b"]')
    assert result.code == 3
    assert result.err == (
        "dbctl: error: profiles.toml: can't be edited in place: there are comments within profiles.my.models "
        "that would be lost; change it with: dbctl profiles edit\n"
    )
    assert text(run) == odd


def test_a_dry_run_changes_nothing(run: Dbctl) -> None:
    [row] = run.ok("profiles", "set", "pg", "workers=2", "--dry-run", "--json").json
    assert row["committed"] is False
    assert text(run) == FILE
