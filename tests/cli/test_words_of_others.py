"""Who comes from another tool types its words, and is told what they are here."""

import pytest

from dbctl.cli.root import OF_OTHERS
from tests.cli.commands import COMMANDS
from tests.harness.cli import Dbctl


@pytest.mark.parametrize("word", OF_OTHERS)
def test_each_is_a_line_of_dbctl_s(word: str, dbctl: Dbctl) -> None:
    told = dbctl(word, "--whatever")
    assert (told.code, told.out) == (2, "")
    line = OF_OTHERS[word].split()
    assert told.err == f"dbctl: error: No such command '{word}'. Did you mean '{OF_OTHERS[word]}'?; see: dbctl --help\n"
    assert line[0] in {words[0] for words in COMMANDS}
    assert dbctl(*line, "--help").code == 0


def test_a_service_s_own_command_of_that_name_is_run(dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text('commands = ["admin"]\n')
    (dbctl.cwd / "admin").mkdir()
    (dbctl.cwd / "admin" / "seed.py").write_text("def seed() -> int:\n    return 7\n")
    assert dbctl.ok("seed", "--json").json == {"value": 7}
