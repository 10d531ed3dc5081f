"""The page of a run, in a real browser: by itself, legible on a telephone and on a wide screen, light and dark."""

import json
import re
import shutil
import struct
import subprocess
import threading
import zlib
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dbctl.pool.drawing import write_page, write_sweep_page
from dbctl.pool.figures import Plan
from dbctl.pool.measuring import measure_pool
from dbctl.pool.sweeping import SizeStats, Sweep
from tests.harness.profile import profile_at

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
WIDTHS = (360, 1600)
SCHEMES = {"light": [], "dark": ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]}

# Contrast is that of https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio, of each text against what it stands on.
MEASURING = """<!DOCTYPE html><body><script>
const found = {};
function luminance(colour) {
  const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(element, style) {
  const ground = from => !from ? "rgb(255, 255, 255)"
    : style(from).backgroundColor.endsWith(", 0)") ? ground(from.parentElement) : style(from).backgroundColor;
  const colours = [element.closest("svg") ? style(element).fill : style(element).color, ground(element)];
  const [dark, light] = colours.map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}
function measured(frame, width) {
  const page = frame.contentDocument, svg = page.querySelector("svg.chart");
  const texts = [...svg.querySelectorAll("text")];
  const heights = texts.map(text => parseFloat(frame.contentWindow.getComputedStyle(text).fontSize)
    * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width);
  const box = svg.viewBox.baseVal;
  found[width] = {
    wide: page.documentElement.scrollWidth, smallest: Math.min(...heights),
    outside: [...page.querySelectorAll("svg.chart text")].map(text => text.getBBox())
      .filter(each => each.x < -0.5 || each.x + each.width > box.width + 0.5).length,
    clipped: [...page.querySelectorAll(".card")].filter(card => card.scrollWidth > card.clientWidth + 1).length,
    charts: page.querySelectorAll("svg.chart").length, fetched: page.querySelectorAll("script, link, img").length,
    requests: frame.contentWindow.performance.getEntriesByType("resource").length,
    faintest: Math.min(...[...page.querySelectorAll("body *")]
      .filter(each => [...each.childNodes].some(node => node.nodeType == 3 && node.data.trim()))
      .filter(each => !each.closest("style, title, head, defs"))
      .map(each => contrast(each, element => frame.contentWindow.getComputedStyle(element)))),
    columns: getComputedStyle(page.querySelector(".grid")).gridTemplateColumns.split(" ").length,
  };
  if (Object.keys(found).length == 2) {
    const result = document.createElement("pre");
    result.textContent = JSON.stringify(found);
    document.body.append(result);
  }
}
for (const width of [360, 1600]) {
  const frame = document.createElement("iframe");
  frame.style.width = width + "px"; frame.style.height = "900px"; frame.style.border = "0";
  frame.onload = () => measured(frame, width);
  frame.src = "page.html";
  document.body.append(frame);
}
</script></body>"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("page")
    measured = measure_pool(profile_at("sqlite://"), Plan(duration=0.5, rate=100, hold=0.002))
    write_page(measured, found / "page.html")
    (found / "measuring.html").write_text(MEASURING, encoding="utf-8")
    return found


def test_it_is_one_file_that_fetches_nothing(directory: Path) -> None:
    text = (directory / "page.html").read_text(encoding="utf-8")
    assert re.findall(r"(?:src|href)=|url\(|@import|<script", text) == []
    assert re.findall(r"https?://[^\"<]*", text) == []
    assert text.count("prefers-color-scheme: dark") >= 2
    assert "<h1>Pool of test: 100 requests/s</h1>" in text


@pytest.fixture(scope="module")
def browser() -> Sequence[str]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine: apt-get install chromium-headless-shell")
    return (CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
def test_it_is_legible_on_a_telephone_and_on_a_wide_screen(
    directory: Path, browser: Sequence[str], scheme: str
) -> None:
    found = measured_in(browser, directory, *SCHEMES[scheme])
    for width in WIDTHS:
        each = found[str(width)]
        assert each["wide"] <= width  # nothing to be scrolled sideways
        assert each["smallest"] >= 9.5  # pixels
        assert each["faintest"] >= 4.5
        assert (each["outside"], each["clipped"], each["fetched"], each["requests"]) == (0, 0, 0, 0)
        assert each["charts"] == 4
    assert (found["360"]["columns"], found["1600"]["columns"]) == (1, 3)


@pytest.mark.slow
def test_a_sweeps_table_is_seen_whole(tmp_path: Path, browser: Sequence[str]) -> None:
    sizes = [SizeStats(size, 1234.5, 123.4, 1234.5, 1234.5, 123.4, 100, 1000, 1000) for size in (1, 20, 300)]
    write_sweep_page("production", Sweep(sizes, "the knee is 20"), tmp_path / "page.html")
    (tmp_path / "measuring.html").write_text(MEASURING.replace("[360, 1600]", "[1100, 1600]"), encoding="utf-8")
    found = measured_in(browser, tmp_path)
    assert [found[width]["clipped"] for width in ("1100", "1600")] == [0, 0]


def measured_in(browser: Sequence[str], directory: Path, *options: str) -> Any:
    serve = partial(SimpleHTTPRequestHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/measuring.html"
        command = [*browser, *options, "--virtual-time-budget=5000", "--dump-dom", url]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout
        server.shutdown()
    measured = re.search(r"<pre>(.*)</pre>", shown)
    assert measured, shown[-2000:]
    return json.loads(measured[1])


@pytest.mark.slow
def test_it_is_drawn_light_and_dark(directory: Path, browser: Sequence[str]) -> None:
    corners = {}
    for scheme, options in SCHEMES.items():
        picture = directory / f"{scheme}.png"
        page = f"file://{directory}/page.html"
        size = ["--window-size=360,200", f"--screenshot={picture}"]
        subprocess.run([*browser, *options, *size, page], capture_output=True, timeout=100, check=True)
        pixels = rgb(picture)
        assert len(set(pixels)) > 50  # it is not blank
        corners[scheme] = pixels[0]
    assert min(corners["light"]) > 200
    assert max(corners["dark"]) < 60


def rgb(path: Path) -> list[tuple[int, ...]]:
    """Return the pixels of a PNG file of 8 bits a colour, by https://www.w3.org/TR/png/."""
    data = path.read_bytes()
    width, height, depth, colours = struct.unpack(">IIBB", data[16:26])
    assert depth == 8
    size, at, packed = {2: 3, 6: 4}[colours], 8, b""
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += length + 12
    raw, stride = zlib.decompress(packed), width * size
    before, found = bytearray(stride), []
    for row in range(0, height * (stride + 1), stride + 1):
        line = unfiltered(raw[row], bytearray(raw[row + 1 : row + 1 + stride]), before, size)
        found += [tuple(line[x : x + 3]) for x in range(0, stride, size)]
        before = line
    return found


def unfiltered(kind: int, line: bytearray, above: bytearray, size: int) -> bytearray:
    for x in range(len(line)):
        left, up, corner = (line[x - size], above[x], above[x - size]) if x >= size else (0, above[x], 0)
        line[x] = line[x] + (0, left, up, (left + up) // 2, paeth(left, up, corner))[kind] & 255
    return line


def paeth(left: int, up: int, corner: int) -> int:
    guess = left + up - corner
    return min((left, up, corner), key=lambda each: abs(guess - each))
