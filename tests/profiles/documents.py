"""Profile files as people write them: every style that TOML has, with comments and empty lines anywhere."""

from itertools import count
from typing import Any

from hypothesis import strategies as st

NAMES = ("dev", "shop", "a b", "a.b", "ünï", 'q"uote')
KEYS = ("url", "host", "user", "application_name")
VALUES = (
    '"plain"', "'literal \\ # no comment'", '"esc \\" # no comment"', "5", "2.5", "true", "1979-05-27",
    '"""\n[profiles.no]\n# no comment\nlast = "5\\""""""', "'''\n[no]\n# no comment'''", '""', "''", '""""""',
    '["a", "b # no comment", "c]"]', "[]", '{ a = 1, "b c" = [1, 2] }',
)  # fmt: skip
MULTILINE = '[\n  "a", {comment}\n  "b]",\n]'


def quoted(name: str) -> str:
    """Write a name as a key."""
    escaped = name.replace('"', '\\"')
    return name if name.isidentifier() and name.isascii() else f'"{escaped}"'


@st.composite
def documents(draw: Any) -> str:
    """Make a file. A comment that belongs to a profile says `own NAME`, all others `keep`, and each has a number."""
    numbers = count()
    lines: list[str] = []

    def comment(owner: str | None = None) -> str:
        return f"# own {owner} {next(numbers)}." if owner else f"# keep {next(numbers)}."

    def between() -> None:
        """Add what belongs to nobody: empty lines around it, so that it is not directly above or below a table."""
        lines.append("")
        for _ in range(draw(st.integers(0, 2))):
            lines.extend([comment(), draw(st.sampled_from(["", "  "]))])

    def settings(owner: str | None, prefix: str = "", keys: tuple[str, ...] = KEYS) -> None:
        for key in draw(st.lists(st.sampled_from(keys), unique=True, max_size=3)):
            if draw(st.booleans()):
                lines.append(comment(owner))
            value = draw(st.sampled_from([*VALUES, MULTILINE])).replace("{comment}", comment(owner))
            equals, behind = draw(st.sampled_from(["=", " = "])), draw(st.sampled_from(["", f" {comment(owner)}"]))
            lines.append(f"{draw(st.sampled_from(['', '  ']))}{prefix}{key}{equals}{value}{behind}")

    if draw(st.booleans()):
        lines.extend([comment(), ""])
    if draw(st.booleans()):
        lines.append(f'default = "dev" {comment()}')
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=4))
    styles = {name: draw(st.sampled_from(["table", "table", "subtable", "dotted", "inline", "root"])) for name in names}
    for name, style in styles.items():
        if style == "root":
            lines.append(f'profiles.{quoted(name)}.url = "x" {comment(name)}')
    between()
    if any(style in {"dotted", "inline"} for style in styles.values()) and "root" not in styles.values():
        lines.append("[profiles]")
        for name, style in styles.items():
            if style == "dotted":
                lines.append(f"{quoted(name)}.url='x'")
                settings(name, f"{quoted(name)} . ", ("host", "user"))
            elif style == "inline":
                lines.append(f'{quoted(name)} = {{ url = "x # no comment", pool = {{ size = 1 }} }} {comment(name)}')
        between()
    for name, style in styles.items():
        if style not in {"table", "subtable"}:
            continue
        if draw(st.booleans()):
            lines.append(comment(name))
        if style == "table":
            lines.append(f"[ profiles . {quoted(name)} ] {comment(name)}")
            settings(name)
            lines.append(draw(st.sampled_from(["pool.timeout=3", "ssl = {mode='require'}", ""])))
            if lines[-1]:
                lines.append(draw(st.sampled_from(["", comment(name)])))
        if style == "subtable" or lines[-1] == "":
            lines.append(f"[profiles.{quoted(name)}.query]")
            settings(name, keys=("a", "b"))
        between()
    if draw(st.booleans()):
        lines.append("[defaults]")
        settings(None, keys=("connect_timeout",))
    if draw(st.booleans()):
        return "\r\n".join(lines)
    return "\n".join(lines) + "\n" * int(draw(st.integers(0, 2)))
