"""`dbctl help`."""

import pytest

from tests.harness.cli import Dbctl
from tests.manual.examples import PAGES, text_of

TOPICS = sorted(set(PAGES) - {"README"})


def test_without_a_topic_it_lists_the_pages(bare: Dbctl) -> None:
    rows = bare.ok("help", "--json").json
    assert [row["topic"] for row in rows] == TOPICS
    for row in rows:
        assert text_of(row["topic"]).startswith(f"# {row['topic']}: {row['about']}\n")


@pytest.mark.parametrize("topic", TOPICS)
def test_in_a_pipe_a_page_is_its_markdown(topic: str, bare: Dbctl) -> None:
    assert bare.ok("help", topic).out == text_of(topic)


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("topic", TOPICS)
def test_on_a_terminal_a_page_is_laid_out(topic: str, columns: int, bare: Dbctl) -> None:
    shown = bare.tty("help", topic, columns=columns, rows=2000).plain
    lines = shown.splitlines()
    assert max(map(len, lines)) <= min(columns, 100)
    assert shown.startswith(f"{topic}: ")
    assert "```" not in shown
    assert "](" not in shown
    assert "\n| " not in shown


@pytest.mark.parametrize("quiet", [("help", "locks", "--quiet"), ("-q", "help", "locks")], ids=" ".join)
def test_it_is_what_was_asked_for_also_where_only_errors_are_to_be_said(quiet: tuple[str, ...], bare: Dbctl) -> None:
    assert bare.ok(*quiet).out == text_of("locks")
    assert bare.ok("help", "locks", env={"DBCTL_QUIET": "1"}).out == text_of("locks")


def test_links_to_other_pages_become_what_is_typed(bare: Dbctl) -> None:
    shown = " ".join(bare.tty("help", "locks", rows=2000).plain.split())
    assert "keys of the profile (dbctl help profiles) too" in shown
    assert "see dbctl help library." in shown


def test_without_colours_there_is_no_style(bare: Dbctl) -> None:
    assert "\x1b[1m" in bare.tty("help", "locks", rows=2000).out
    assert "\x1b" not in bare.tty("help", "locks", "--no-color", rows=2000).out
    assert "\x1b" not in bare.tty("help", "locks", rows=2000, env={"TERM": "dumb"}).out


def test_a_page_goes_before_a_command_of_its_name(bare: Dbctl) -> None:
    assert bare.ok("help", "ping").out == text_of("ping")


@pytest.mark.parametrize("words", ["heroes", "heroes add", "init-tables", "profiles show", "help help"])
def test_other_commands_show_their_help(words: str, bare: Dbctl) -> None:
    if words == "help help":
        assert bare.ok("help", "help").out == text_of("help")
    else:
        assert bare.ok("help", *words.split()).out == bare.ok(*words.split(), "--help").out


@pytest.mark.parametrize(
    ("words", "nearest"),
    [("lock", "locks"), ("heros add", "heroes add"), ("int-tables", "init-tables"), ("exit codes", "exit-codes")],
)
def test_of_what_is_not_there_the_nearest_is_told(words: str, nearest: str, bare: Dbctl) -> None:
    result = bare("help", *words.split())
    assert (result.code, result.out) == (2, "")
    assert result.err == f'dbctl: error: there is no page and no command "{words}"; did you mean "{nearest}"?\n'


def test_what_is_near_to_nothing_is_told_where_the_pages_are_listed(bare: Dbctl) -> None:
    result = bare("help", "zzzz")
    assert result.code == 2
    assert result.err == 'dbctl: error: there is no page and no command "zzzz"; dbctl help lists the pages\n'


@pytest.mark.parametrize("file", ["default = ", "[profiles.p]\nport = 'x'\n", "\0"])
def test_a_broken_profile_file_does_not_matter(file: str, bare: Dbctl) -> None:
    (bare.cwd / "profiles.toml").write_text(file)
    assert bare.ok("help", "locks").out == text_of("locks")
    assert "add" in bare.ok("help", "heroes").out
    assert bare.ok("help", "locks", "--config", "nowhere.toml", "-p", "nobody").out == text_of("locks")


def test_commands_that_are_taken_away_have_no_help(bare: Dbctl) -> None:
    (bare.cwd / "own.toml").write_text("sample = false\n")
    result = bare("help", "heroes", "add", "--config", "own.toml")
    assert result.code == 2
    assert 'there is no page and no command "heroes add"' in result.err
    assert bare.ok("help", "init-tables", "--config", "own.toml").code == 0


def test_topics_complete(dbctl: Dbctl) -> None:
    protocol = {"_DBCTL_COMPLETE": "complete_bash", "COMP_WORDS": "dbctl help pro", "COMP_CWORD": "2"}
    assert dbctl.ok(env=protocol).out.split() == ["profile-file", "profiles"]
