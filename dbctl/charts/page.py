"""A page in one file: charts, and the figures they are made of; nothing is fetched for it, and no script runs in it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from dbctl.charts import svg
from dbctl.charts.model import Bars, Chart

Table = tuple[str, Sequence[str], Sequence[Sequence[str]]]
"""A heading, the columns' names, and rows of texts."""

_MANY = 6
"""Columns that a card has room for which is one of several in a row."""

_STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --ink: #1b1f24; --soft: #57606a; --edge: #d0d7de; --card: #f6f8fa; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1; --edge: #3d444d; --card: #151b23; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 1560px; margin: 0 auto; padding: 16px; }
h1 { font-size: 22px; margin: 8px 0; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 0 0 8px; }
.verdict { font-size: 18px; max-width: 75ch; margin: 8px 0 20px; padding-left: 12px; border-left: 4px solid var(--ink);
  overflow-wrap: anywhere; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 16px; }
.card { background: var(--card); border: 1px solid var(--edge); border-radius: 8px; padding: 12px; min-width: 0;
  overflow-x: auto; }
.wide { grid-column: 1 / -1; }
.card svg { display: block; width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; font-size: 15px; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 4px 6px; border-bottom: 1px solid var(--edge); }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
footer { color: var(--soft); margin-top: 20px; font-size: 14px; }
@media print { .card { break-inside: avoid; } }
"""


def page(title: str, verdict: str, charts: Sequence[Chart | Bars], tables: Sequence[Table], made: str) -> str:
    """Return the page.

    Args:
        title: Its title.
        verdict: What there is to be said first.
        charts: The charts.
        tables: The figures.
        made: What it says at its end of how it was made.
    """
    cards = [f'<section class="card">{svg.inline(each)}</section>' for each in charts]
    cards += [f'<section class="card{_wide(each)}">{_table(*each)}</section>' for each in tables]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{svg.STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1>{escape(title)}</h1>\n<p class="verdict">{escape(verdict)}</p>\n<div class="grid">\n'
        + "\n".join(cards)
        + f"\n</div>\n<footer>{escape(made)}</footer>\n</main>\n</body>\n</html>\n"
    )


def _wide(table: Table) -> str:
    """Return the class of a card whose table needs the page's whole width."""
    return " wide" if len(table[1]) > _MANY else ""


def _table(name: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<h2>{escape(name)}</h2><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
