"""The harness runs a program as it says it does; here the program is a few lines of Python in dbctl's place."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.harness.cli import Dbctl


def running(dbctl: Dbctl, script: str) -> Dbctl:
    return replace(dbctl, program=(sys.executable, "-c", script))


def test_streams_and_exit_code_are_kept_apart_byte_by_byte(dbctl: Dbctl) -> None:
    script = r"import os, sys; os.write(1, 'ü\r\n'.encode()); os.write(2, b'talk'); sys.exit(5)"
    result = running(dbctl, script)("a", "b c")
    assert (result.code, result.out, result.err, result.args) == (5, "ü\r\n", "talk", ("a", "b c"))


def test_arguments_and_standard_input_arrive(dbctl: Dbctl) -> None:
    result = running(dbctl, "import sys; print(sys.argv[1:], sys.stdin.read())").ok("a", "b c", stdin="hällo")
    assert result.lines == ["['a', 'b c'] hällo"]


def test_nothing_of_the_tests_environment_gets_through(dbctl: Dbctl, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "ENVIRONMENT", "DBCTL_PROFILE", "PGHOST", "NO_COLOR", "PYTHONPATH", "COLUMNS"):
        monkeypatch.setenv(name, "leaked")
    seen = running(dbctl, "import json, os; print(json.dumps(dict(os.environ)))").ok(env={"ONCE": "1"}).json
    seen.pop("LC_CTYPE", None)  # which Python sets by itself
    assert set(seen) == {"PATH", "LANG", "HOME", "XDG_CONFIG_HOME", "ONCE"}
    assert seen["HOME"] == str(dbctl.home)
    assert dbctl.home.is_dir()


def test_variables_can_be_kept_for_all_runs(dbctl: Dbctl) -> None:
    printing = running(dbctl, "import os; print(os.environ['A'])").with_env(A="kept")
    assert [printing.ok().out, printing.ok(env={"A": "once"}).out] == ["kept\n", "once\n"]


def test_it_runs_in_the_empty_working_directory(dbctl: Dbctl) -> None:
    assert running(dbctl, "import os; print(os.getcwd(), os.listdir())").ok().lines == [f"{dbctl.cwd} []"]


def test_ok_shows_both_streams_of_a_failure(dbctl: Dbctl) -> None:
    failing = running(dbctl, "import sys; print('data'); sys.exit('the reason')")
    with pytest.raises(AssertionError, match=r"(?s)dbctl ping\nexit code 1.*data.*the reason"):
        failing.ok("ping")


def test_a_run_that_takes_too_long_is_killed(dbctl: Dbctl) -> None:
    sleeping = running(dbctl, "import time; time.sleep(60)")
    with pytest.raises(subprocess.TimeoutExpired):
        sleeping(timeout=0.5)
    with pytest.raises(subprocess.TimeoutExpired):
        sleeping.tty(timeout=0.5)


def test_rows_are_read_below_the_header(dbctl: Dbctl) -> None:
    result = running(dbctl, r"print('id\tname\n1\tone\n2\t')").ok()
    assert result.rows == [{"id": "1", "name": "one"}, {"id": "2", "name": ""}]
    assert running(dbctl, "").ok().rows == []


def test_what_is_not_json_is_shown(dbctl: Dbctl) -> None:
    with pytest.raises(AssertionError, match=r"not JSON(?s:.*)plain text"):
        _ = running(dbctl, "print('plain text')").ok().json


def test_lines_end_at_line_feeds_alone(dbctl: Dbctl) -> None:
    assert running(dbctl, r"print('a\x0bb\u2028c\n\nd')").ok().lines == ["a\x0bb\u2028c", "", "d"]


def test_a_terminal_has_the_size_that_was_asked_for(dbctl: Dbctl) -> None:
    script = "import os, sys; print(os.get_terminal_size(1), sys.stderr.isatty(), os.environ['TERM'], file=sys.stderr)"
    result = running(dbctl, script).tty(columns=123, rows=7)
    assert (result.code, result.err) == (0, "")
    assert result.out == "os.terminal_size(columns=123, lines=7) True xterm-256color\n"


def test_standard_error_can_be_apart_from_the_terminal(dbctl: Dbctl) -> None:
    script = "import sys; print('data', sys.stdout.isatty()); print('talk', sys.stderr.isatty(), file=sys.stderr)"
    result = running(dbctl, script).tty(stderr_apart=True)
    assert (result.out, result.err) == ("data True\n", "talk False\n")


def test_a_long_output_arrives_whole_on_a_terminal(dbctl: Dbctl) -> None:
    result = running(dbctl, "for i in range(20000): print(i, 'ü' * 20)").tty()
    assert len(result.lines) == 20_000
    assert result.lines[-1] == "19999 " + "ü" * 20


def test_keys_are_pressed_when_their_prompt_is_shown(dbctl: Dbctl) -> None:
    script = "import getpass; print('got', getpass.getpass('Password: '), input('Sure? '))"
    result = running(dbctl, script).tty(keys=[("Password: ", "secret\n"), ("Sure? ", "y\n")])
    assert result.code == 0
    assert result.lines[-1] == "got secret y"
    assert running(dbctl, "print('got', input())").tty(keys="at once\n").lines[-1] == "got at once"


def test_a_prompt_that_never_comes_fails_the_test(dbctl: Dbctl) -> None:
    with pytest.raises(AssertionError, match=r"never shown: 'Sure\?'(?s:.*)something else"):
        running(dbctl, "print('something else')").tty(keys=[("Sure?", "y\n")])


def test_ctrl_c_on_a_terminal_is_a_signal(dbctl: Dbctl) -> None:
    script = "import time; print('ready', flush=True); time.sleep(60)"
    assert running(dbctl, script).tty(keys=[("ready", "\x03")]).code == -signal.SIGINT


def test_a_started_run_takes_signals(dbctl: Dbctl) -> None:
    script = "import time; print('ready', flush=True); time.sleep(60)"
    with running(dbctl, script).popen() as process:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == -signal.SIGINT


def test_a_started_run_is_not_deaf_to_ctrl_c() -> None:
    # As a shell starts the tests in the background: with both ignored, which all programs below would inherit.
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    assert signal.getsignal(signal.SIGQUIT) is not signal.SIG_IGN


def test_plain_is_without_escapes(dbctl: Dbctl) -> None:
    script = r"print('\x1b[1;31mred\x1b[0m \x1b]8;;http://example.com\x1b\\link\x1b]8;;\x1b\\ \x1b[2K\x1b(Bend')"
    assert running(dbctl, script).tty().plain == "red link end\n"


def test_dbctl_itself_is_what_runs(dbctl: Dbctl) -> None:
    assert dbctl.program == (sys.executable, "-m", "dbctl")
    assert os.listdir(dbctl.cwd) == []
