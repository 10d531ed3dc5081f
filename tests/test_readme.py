"""The README is a front page: short, with what a person needs first, and the way to the rest."""

import re

from dbctl.cli.exits import ExitCode
from tests.manual.examples import PAGES, ROOT, text_of

README = text_of("README")


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 260


def test_it_names_the_two_commands_first() -> None:
    first, second, *_ = re.findall(r"^```sh\n(.*?)\n```", README, re.MULTILINE | re.DOTALL)
    assert first.startswith("python3 -m venv .venv && ")
    assert second == "bash tests/run"


def test_every_exit_code_is_listed_with_its_meaning() -> None:
    for code in ExitCode:
        assert f"| {code.value} | {code.meaning} |" in README


def test_it_links_to_every_page() -> None:
    linked = set(re.findall(r"\]\(dbctl/manual/([\w-]+)\.md\)", README.partition("## The manual")[2]))
    assert linked == set(PAGES) - {"README"}


def test_what_it_links_to_is_there() -> None:
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path


def test_the_workflow_runs_the_command_that_it_names() -> None:
    workflow = (ROOT / ".github" / "workflows" / "test.yml").read_text(encoding="utf-8")
    assert "- run: bash tests/run\n" in workflow
