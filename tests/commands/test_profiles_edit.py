"""`dbctl profiles edit`."""

import re
import shutil
import stat
from pathlib import Path

import pytest

from tests.harness.cli import Dbctl

# To its last space, which comes when the answer is waited for: Ctrl-C before that may be overheard.
PROMPT = "Edit it again? (no discards it) [Y/n]: "
FILE = '# Ours\n[profiles.p]\nurl = "sqlite:///p.db"\n'


@pytest.fixture
def run(bare: Dbctl) -> Dbctl:
    (bare.cwd / "profiles.toml").write_text(FILE)
    return bare


def text(dbctl: Dbctl) -> str:
    return (dbctl.cwd / "profiles.toml").read_text()


def editor(dbctl: Dbctl, script: str) -> dict[str, str]:
    """Make an editor of a shell script, to which $1 is the copy; its name has a space, and it is given an option."""
    path = dbctl.cwd.parent / "my editor"
    script = f'stat -c "%a %n" "$1" > "{path}.seen"\n{script}'
    path.write_text(f"#!/bin/sh\nshift\n{script}\n")
    path.chmod(0o755)
    return {"VISUAL": f"'{path}' --wait", "EDITOR": "false"}


def seen(dbctl: Dbctl) -> tuple[str, Path]:
    """Return the mode and the path of the copy that the editor was given last."""
    mode, _, path = (dbctl.cwd.parent / "my editor.seen").read_text().strip().partition(" ")
    return mode, Path(path)


def nothing_left(dbctl: Dbctl) -> bool:
    return not seen(dbctl)[1].parent.exists()


def test_what_the_editor_wrote_is_in_the_file(run: Dbctl) -> None:
    env = editor(run, 'sed -i s/p.db/q.db/ "$1"')
    (run.cwd / "profiles.toml").chmod(0o640)
    assert run.ok("profiles", "edit", "--json", env=env).json == {"file": "profiles.toml", "changed": True}
    assert text(run) == FILE.replace("p.db", "q.db")
    assert stat.S_IMODE((run.cwd / "profiles.toml").stat().st_mode) == 0o640
    assert seen(run)[0] == "600"
    assert seen(run)[1].name == "profiles.toml"
    assert nothing_left(run)


def test_a_copy_that_is_not_changed_changes_nothing(run: Dbctl) -> None:
    before = (run.cwd / "profiles.toml").stat()
    assert run.ok("profiles", "edit", "--json", env=editor(run, "true")).json["changed"] is False
    after = (run.cwd / "profiles.toml").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert nothing_left(run)


def test_without_an_editor_and_a_terminal_it_is_refused(run: Dbctl) -> None:
    result = run("profiles", "edit")
    assert (result.code, text(run)) == (2, FILE)
    assert "there is no terminal to edit on" in result.err


def test_a_file_that_is_wrong_can_be_put_right(run: Dbctl) -> None:
    (run.cwd / "profiles.toml").write_text("[profiles.p")
    (run.cwd / "right").write_text(FILE)
    run.ok("profiles", "edit", env=editor(run, 'cat right > "$1"'))
    assert text(run) == FILE


def test_a_file_that_is_not_there_is_made(bare: Dbctl) -> None:
    bare.ok("profiles", "edit", env=editor(bare, 'echo "[profiles.p]\nurl=\'sqlite://\'" > "$1"'))
    assert stat.S_IMODE((bare.cwd / "profiles.toml").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ('echo "[profiles" >> "$1"', "profiles.toml: not valid TOML: "),
        ('echo "workers = 0" >> "$1"', "profiles.toml [profiles.p]: workers = 0: allowed is"),
        ('echo "[profile.q]" >> "$1"', 'profiles.toml: profile: unknown key; did you mean "profiles"?'),
        ('echo "[profiles.q]\nurl=\'oracle://h\'" >> "$1"', 'driver = "oracle": allowed is'),
        ('printf "\\377" >> "$1"', "can't decode byte"),
        ('rm "$1"', "No such file"),
        ("exit 3", "ended with exit code 3"),
    ],
)
def test_without_a_terminal_what_is_not_valid_is_refused(script: str, problem: str, run: Dbctl) -> None:
    result = run("profiles", "edit", env=editor(run, script))
    assert (result.code, result.out) == (3, "")
    assert problem in result.err
    assert result.err.endswith("; nothing is changed\n")
    assert text(run) == FILE
    assert nothing_left(run)


def test_an_editor_that_is_not_there_is_told(run: Dbctl) -> None:
    result = run("profiles", "edit", env={"EDITOR": "/nowhere/vi -x"})
    assert result.code == 3
    assert result.err.startswith("dbctl: error: EDITOR: /nowhere/vi -x can't be run: No such file or directory; set ")


def test_a_change_of_another_is_not_lost_and_neither_is_what_was_written(run: Dbctl) -> None:
    env = editor(run, 'echo "# theirs" >> profiles.toml; echo "# mine" >> "$1"')
    result = run("profiles", "edit", env=env)
    assert result.code == 3
    assert text(run) == FILE + "# theirs\n"
    [kept] = re.findall(r"another program has changed it meanwhile; what you wrote is kept in (\S+)\n", result.err)
    assert Path(kept).read_text() == FILE + "# mine\n"
    shutil.rmtree(Path(kept).parent)


def test_on_a_terminal_it_can_be_edited_again(dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text(FILE)
    script = 'if grep -q "workers = 0" "$1"; then sed -i "s/= 0/= 2/" "$1"; else echo "workers = 0" >> "$1"; fi'
    result = dbctl.tty("profiles", "edit", env=editor(dbctl, script), columns=200, keys=[(PROMPT, "y\n")])
    assert result.code == 0
    assert "dbctl: error: profiles.toml [profiles.p]: workers = 0: allowed is" in result.plain
    assert text(dbctl) == FILE + "workers = 2\n"


@pytest.mark.parametrize("answer", ["n\n", "\x03", "\x04"])
def test_on_a_terminal_it_can_be_discarded(answer: str, dbctl: Dbctl) -> None:
    (dbctl.cwd / "profiles.toml").write_text(FILE)
    env = editor(dbctl, 'echo "workers = 0" >> "$1"')
    result = dbctl.tty("profiles", "edit", env=env, columns=200, keys=[(PROMPT, answer)])
    assert result.code == 3
    assert "nothing is changed" in result.plain
    assert text(dbctl) == FILE
    assert nothing_left(dbctl)
