"""The command that the page on commands writes from nothing works when its files are put where the page says."""

import subprocess
import sys

import pytest

from tests.harness.cli import Dbctl
from tests.manual.examples import ROOT, blocks, comparable, text_of

MODEL, COMMAND = (text for _, text in blocks("commands", "py"))
FILE, ENTRY_POINT = (text for _, text in blocks("commands", "toml"))
SHOWN = [text.removeprefix("$ ").partition("\n") for _, text in blocks("commands", "text")]


@pytest.fixture
def shop(dbctl: Dbctl) -> Dbctl:
    """Dbctl where the page's files are, with an order."""
    for path, text in {
        "profiles.toml": FILE,
        "shop/__init__.py": "",
        "shop/models.py": MODEL,
        "shop/admin/__init__.py": "",
        "shop/admin/pay.py": COMMAND,
    }.items():
        file = dbctl.cwd / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        assert text == "" or f"`{path}`" in text_of("commands") or path == "profiles.toml"
    dbctl.ok("init-tables")
    (dbctl.cwd / "add.sql").write_text("INSERT INTO \"order\" (item, paid) VALUES ('tea', false)")
    dbctl.ok("run", "add.sql")
    return dbctl


def test_it_shows_what_the_page_shows(shop: Dbctl) -> None:
    for line, _, shown in SHOWN:
        assert comparable(shop.tty(*line.split()[1:]).plain) == comparable(shown)
    assert shop.ok("pay", "1", "--json").json["paid"] is True


def test_it_is_as_good_as_the_others(shop: Dbctl) -> None:
    assert "Shop:\n  pay  Take note that an order is paid.\n" in shop.ok("--help").out
    assert "$ dbctl pay 7 --dry-run" in shop.ok("pay", "--help").out
    missing = shop("pay", "7")
    assert (missing.code, missing.talk) == (1, "dbctl: error: there is no order 7\n")


def test_an_entry_point_names_it_too(shop: Dbctl) -> None:
    (shop.cwd / "profiles.toml").write_text(FILE.replace('commands = ["shop.admin"]\n', 'app_dir = "."\n'))
    assert shop("pay", "1").code == 2
    metadata = shop.cwd / "shop-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    entry_points = ENTRY_POINT.replace('project.entry-points."dbctl.commands"', "dbctl.commands").replace('"', "")
    (metadata / "entry_points.txt").write_text(entry_points)
    script = "import sys; sys.path.insert(0, '.'); from dbctl.cli.main import main; main()"
    program = Dbctl(cwd=shop.cwd, home=shop.home, program=(sys.executable, "-c", script))
    assert program.ok("pay", "1", "--json").json["item"] == "tea"


def test_it_is_written_as_the_house_is() -> None:
    for check in (["check"], ["format", "--check"]):
        for text in (MODEL, COMMAND):
            done = subprocess.run(
                [sys.executable, "-m", "ruff", *check, "--config", ROOT / "pyproject.toml", "--ignore", "D1,I", "-"]
                if check == ["check"]
                else [sys.executable, "-m", "ruff", *check, "--config", ROOT / "pyproject.toml", "-"],
                input=text.encode(),
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout.decode()
