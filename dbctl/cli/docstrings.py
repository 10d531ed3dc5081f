"""What a docstring says to people: a summary, paragraphs, and examples. Its sections for programmers are left out."""

import re
from collections.abc import Iterator
from inspect import cleandoc

from dbctl.records import record

_SECTION = re.compile(r"(Args|Returns|Yields|Raises|Examples?):")
_PARAMETER = re.compile(r"\s+\*{0,2}(\w+)(?:\s*\([^)]*\))?:(.*)")
# reStructuredText's, as Sphinx reads them: a field is over where the next begins, or a line is no further in.
_FIELD = re.compile(r":(?P<kind>\w+)(?:\s+(?:[^:]*\s)?\*{0,2}(?P<name>\w+))?:(?P<said>.*)")
_EXAMPLES = ("Example:", "Examples:")
_FIELDS = ":fields:"
"""What stands for the heading of fields, which have none."""


@record
class Description:
    """What there is to say of a command.

    Args:
        summary: The first line.
        text: All paragraphs, the summary too, as they stand.
        examples: The lines of the section `Examples:`, as they stand.
    """

    summary: str = ""
    text: str = ""
    examples: tuple[str, ...] = ()

    @classmethod
    def of(cls, docstring: str | None) -> "Description":
        """Return what a docstring says; nothing where there is none."""
        text, examples = [], []
        for heading, line in _with_headings(cleandoc(docstring or "")):
            if heading is None:
                text.append(line)
            elif heading in _EXAMPLES:
                examples.append(line)
        body = "\n".join(text).strip()
        shown = cleandoc("\n" + "\n".join(examples)).split("\n")
        return cls(body.partition("\n")[0], body, tuple(shown) if any(shown) else ())


def parameters_in(docstring: str | None) -> dict[str, str]:
    """Return what a docstring's section `Args:`, or its fields `:param name:`, say of each parameter."""
    said: dict[str, str] = {}
    name = ""
    for heading, line in _with_headings(cleandoc(docstring or "")):
        if heading not in {"Args:", _FIELDS}:
            name = ""
        elif heading == _FIELDS and (field := _FIELD.fullmatch(line)):
            name = field["name"] if field["kind"] == "param" else ""
            if name:
                said[name] = field["said"].strip()
        elif heading == "Args:" and (match := _PARAMETER.fullmatch(line)):
            name, said[match[1]] = match[1], match[2].strip()
        elif name and line.strip():
            said[name] = f"{said[name]} {line.strip()}"
    return said


def _with_headings(text: str) -> Iterator[tuple[str | None, str]]:
    """Yield each line with the heading of its section, which ends where a line is no further in than its heading."""
    heading = None
    for line in text.splitlines():
        if _SECTION.fullmatch(line):
            heading = line
            continue
        if line and not line[0].isspace():
            heading = _FIELDS if _FIELD.fullmatch(line) else None
        yield heading, line
