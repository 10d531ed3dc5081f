"""`dbctl profiles remove`."""

import pytest

from tests.harness.cli import Dbctl

FILE = """\
# Ours
default = "pg"

[profiles.pg]
url = "postgresql://app@h/app"

# The other one
[profiles.my] # here
driver = "mysql"
# where?
host = "h"

[profiles.my.pool]
size = 3

# The last
[profiles.production]
url = "postgresql://app@p/app"
"""


@pytest.fixture
def run(bare: Dbctl) -> Dbctl:
    (bare.cwd / "profiles.toml").write_text(FILE)
    return bare


def text(dbctl: Dbctl) -> str:
    return (dbctl.cwd / "profiles.toml").read_text()


def test_a_profile_goes_with_its_tables_and_its_comments(run: Dbctl) -> None:
    assert run.ok("profiles", "remove", "my", "--json").json == {"name": "my", "file": "profiles.toml"}
    assert text(run) == FILE[: FILE.index("# The other")] + FILE[FILE.index("# The last") :]


def test_one_that_could_not_be_used_goes_too(run: Dbctl) -> None:
    (run.cwd / "profiles.toml").write_text(FILE + "[profiles.broken]\nworkers = 0\n")
    run.ok("profiles", "remove", "broken")
    assert text(run) == FILE


def test_the_default_is_not_removed(run: Dbctl) -> None:
    result = run("profiles", "remove", "pg")
    assert (result.code, text(run)) == (3, FILE)
    assert '"pg" is the default; name another first, with: dbctl profiles default NAME' in result.err
    run.ok("profiles", "default", "my")
    run.ok("profiles", "remove", "pg")


@pytest.mark.parametrize("name", ["pgg", "testing", ""])
def test_one_that_is_not_in_the_file_is_a_configuration_error(name: str, run: Dbctl) -> None:
    result = run("profiles", "remove", name)
    assert (result.code, text(run)) == (3, FILE)
    assert f'no profile "{name}" in profiles.toml' in result.err


def test_a_dry_run_removes_nothing(run: Dbctl) -> None:
    assert run.ok("profiles", "remove", "my", "--dry-run", "--json").json["committed"] is False
    assert text(run) == FILE
