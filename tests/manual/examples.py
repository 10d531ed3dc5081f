"""The examples in the README and in the manual's pages: what is typed, and what stands below it.

A block that begins with ```console is typed as it stands. What is behind that word tells what it is typed with:

- nothing: with what the page has made so far, in a folder that was empty at its beginning;
- `server`: the same, where a PostgreSQL listens on localhost:5432, on which app has a database shop with the password
  in SHOP_DB_PASSWORD;
- `pg`, `my`: in a folder of their own, where profiles.toml has a profile of this name on PostgreSQL or MariaDB.
"""

import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from tests.harness.cli import Dbctl

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
PAGES = {path.stem: path for path in [README, *sorted((ROOT / "dbctl" / "manual").glob("*.md"))]}
"""The README and all pages, by name."""

_BLOCK = re.compile(r"^```(\w+)(?: (\w+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"(exit code: \d+|\d+ (?:note|warning|error)s?\b)|\d+(?:\.\d+)?")


def text_of(page: str) -> str:
    """Return what a page says."""
    return PAGES[page].read_text(encoding="utf-8")


def blocks(page: str, language: str) -> Iterator[tuple[str, str]]:
    """Yield the page's blocks in a language: what is behind its name, and the text."""
    for named, kind, text in _BLOCK.findall(text_of(page)):
        if named == language:
            yield kind, text


def block(page: str, language: str) -> str:
    """Return the page's one block in a language."""
    ((_, text),) = blocks(page, language)
    return text


def kinds(page: str) -> set[str]:
    """Return what a page's examples are typed with."""
    return {kind for kind, _ in blocks(page, "console")}


def examples(page: str, kinds: Collection[str]) -> Iterator[tuple[str, str, str]]:
    """Yield each line that is typed in the blocks of some kinds, which kind it is, and what the page shows below it."""
    for kind, text in blocks(page, "console"):
        for part in text.removeprefix("$ ").split("\n$ ") if kind in kinds else ():
            line, _, shown = part.partition("\n")
            yield kind, line, shown


def shell(dbctl: Dbctl) -> Dbctl:
    """Return a shell that finds dbctl on its PATH, as after `. .venv/bin/activate`."""
    path = f"{Path(sys.executable).parent}:{dbctl.environment()['PATH']}"
    return replace(dbctl, program=("/bin/bash", "-c")).with_env(PATH=path)


def comparable(text: str) -> str:
    """Leave out what differs from run to run: numbers, spaces, and lines as long as the numbers in them.

    Exit codes and the counts of findings do not differ.
    """
    without_numbers = _NUMBER.sub(lambda found: found[1] or "0", text)
    return " ".join(re.sub("─+", "─", without_numbers).split())
