"""`dbctl console` at a terminal: what is typed is run, what fails ends nothing, what is not committed is told."""

import pytest

from tests.commands.prompts import Prompt, prompt
from tests.harness.forked import of_tests
from tests.services.running import Service, lite

__all__ = ["lite", "prompt"]

ADD = "session.add(Ship(name='Argo', tons=7))"


def test_what_fails_ends_nothing_and_what_is_committed_stays(lite: Service, prompt: Prompt) -> None:
    lines = [
        *(ADD, "session.flush()", "from sqlalchemy import text", "session.exec(text('SELECT nope FROM ship'))"),
        *(ADD, "commit()", "session.exec(select(Ship)).all()", "1 / 0", "session.add(Ship(name='Zephyr'))"),
    ]
    result = prompt.typed(lite.dbctl, lines)
    assert result.code == 0, str(result)
    shown = result.plain
    assert "; rolled back: 1 new Ship" in shown
    assert "dbctl: committed: 1 new Ship" in shown
    assert "name   tons" in shown
    assert "ZeroDivisionError: division by zero" in shown
    assert "site-packages" not in shown
    assert "rolled back at the end: 1 new Ship; commit() would have kept it" in " ".join(shown.split())
    assert lite.ships == {"Argo"}


def test_the_async_prompt_awaits(lite: Service, prompt: Prompt) -> None:
    lines = [ADD, "await commit()", "(await session.exec(select(Ship))).all()", "await session.exec(select(1 / 0))",
             "session.add(Ship(name='Argo'))", "await session.flush()", "await session.get(Ship, 0)"]  # fmt: skip
    result = prompt.typed(lite.dbctl, lines, "--async")
    assert result.code == 0, str(result)
    shown = result.plain
    assert "dbctl: committed: 1 new Ship" in shown
    assert "name   tons" in shown
    assert "ZeroDivisionError: division by zero" in shown
    assert "dbctl: error: " in shown
    assert lite.ships == {"Argo"}


def test_the_prompt_says_where_it_is_and_what_is_not_committed(lite: Service, prompt: Prompt) -> None:
    shown = prompt.typed(lite.dbctl, [ADD, "rollback()"]).plain
    marks = [shown.find(mark) for mark in ("lite>>>", "lite*>>>") if not prompt.numbered] or [
        shown.find(mark) for mark in ("lite [1]", "lite* [2]")
    ]
    assert -1 not in marks
    assert "dbctl: rolled back: 1 new Ship" in shown
    assert "lite (read-only)" in prompt.typed(lite.dbctl, [], "--read-only").plain


def test_results_fit_the_screen_and_are_no_markup(lite: Service, prompt: Prompt) -> None:
    add = "session.add_all([Ship(name='[red]' + 'x' * 30 + chr(27) + str(n), tons=n) for n in range(150)]); commit()"
    result = prompt.typed(lite.dbctl, [add, "session.exec(select(Ship))", "len(_.all())"], columns=60)
    assert "[red]" + "x" * 30 + "\\x1b0" in result.plain
    assert "dbctl: the first 100 rows are shown" in result.plain
    assert "\x1b0 " not in result.out


def test_leaving_with_a_code_is_kept(lite: Service, prompt: Prompt) -> None:
    keys = [(prompt.mark(1), f"{ADD}\r"), (prompt.mark(2), "exit(4)\r")]
    result = of_tests(lite.dbctl).tty("console", keys=keys, env=prompt.env)
    assert result.code == 4, str(result)
    assert "rolled back at the end: 1 new Ship" in result.plain


def test_the_startup_file_is_run_as_python_does(lite: Service, prompt: Prompt) -> None:
    (lite.dbctl.cwd / "start.py").write_text("helper = 'from the file'\n")
    dbctl = lite.dbctl.with_env(PYTHONSTARTUP="start.py")
    assert "from the file" in prompt.typed(dbctl, ["print(helper)"]).plain
    (lite.dbctl.cwd / "start.py").write_text("1 / 0\n")
    result = prompt.typed(dbctl, ["print(6 * 7)"])
    assert "ZeroDivisionError" in result.plain
    assert "42" in result.plain
    assert lite.dbctl("console", "-c", "helper", env={"PYTHONSTARTUP": "start.py"}).code == 1


def test_the_history_is_ones_own_and_has_no_secrets(lite: Service, prompt: Prompt) -> None:
    prompt.typed(lite.dbctl, ["kept = 'this one'", "password = 'hunter2'", "kept"])
    (file,) = (lite.dbctl.home / ".local" / "state" / "dbctl").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    content = file.read_bytes()
    assert b"this one" in content
    assert b"hunter2" not in content


def test_ctrl_c_at_the_prompt_ends_only_the_line(lite: Service, prompt: Prompt) -> None:
    with prompt.opened(lite.dbctl) as typist:
        typist.types(ADD)
        typist.is_asked()
        for _ in range(2):
            typist.terminal.press("nonsense")
            typist.sees("nonsense")
            typist.terminal.press("\x03")
            # IPython only erases what was typed, and Python asks anew.
            typist.sees("\x1b[K" if prompt.numbered else prompt.mark(1))
        typist.terminal.press("print(len(session.new) + 41)\r")
        typist.sees("42\n")
        typist.leaves()


@pytest.mark.parametrize("prompt", ["ipython"], indirect=True)
def test_reset_leaves_the_consoles_own_names(lite: Service, prompt: Prompt) -> None:
    result = prompt.typed(lite.dbctl, ["mine = 1", "%reset -f", "print(Ship is type(Ship()), 'mine' in globals())"])
    assert "True False" in result.plain
