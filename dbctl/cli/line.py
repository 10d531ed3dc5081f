"""The line that is typed, before Typer parses it."""

import shlex
from collections.abc import Collection, Iterator, Sequence

from dbctl.records import record

CONFIG_OPTIONS = ("--config", "-c")


@record
class Line:
    """What has been typed.

    Args:
        words: The whole words, without the program's name.
        option: The option that stands before the cursor, whose value may be what is typed; empty where there is none.
        incomplete: The word or the value that the cursor is in, as far as it goes.
        prefix: What stands before that in the same word, as `--profile=` does.
        quote: The quotation mark that is still open, if one is.
    """

    words: Sequence[str] = ()
    option: str = ""
    incomplete: str = ""
    prefix: str = ""
    quote: str = ""


def taken_apart(text: str, index: int | None = None) -> Line:
    """Take a line apart as a shell does.

    Args:
        text: The line, from the program's name on; its last quotation need not have ended.
        index: Which of its words the cursor is in; unless given the last one, or one that has not begun.
    """
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    quote = ""
    try:
        words.extend(lexer)
    except ValueError:
        state: str = lexer.state  # type: ignore[attr-defined]  # the quotation mark that it waits for, or a backslash
        quote = state if state in {"'", '"'} else ""
        words.append(lexer.token)
    if index is None:
        index = len(words) - 1 if words and (quote or not text[-1:].isspace()) else len(words)
    incomplete = words[index] if index < len(words) else ""
    before = list(_joined(words[1:index]))
    if incomplete == "=" or (incomplete.startswith("--") and "=" in incomplete):
        option, equals, value = incomplete.partition("=")
        return Line(before, option, value, option + equals, quote) if option else _with_option(before, "", quote)
    return _with_option(before, incomplete, quote)


def _with_option(before: list[str], incomplete: str, quote: str) -> Line:
    """Return the line where the value of an option is a word of its own, as in bash it is after an equals sign too."""
    option = before[-1].removesuffix("=") if before else ""
    if not option.startswith("-") or "=" in option:
        return Line(before, "", incomplete, "", quote)
    return Line(before[:-1], option, incomplete, "", quote)


def _joined(words: Sequence[str]) -> Iterator[str]:
    """Join what bash has taken apart at an equals sign, --profile = prod; the last value may still be to come."""
    words = list(words)
    while words:
        word = words.pop(0)
        if word.startswith("--") and words[:1] == ["="]:
            word += words.pop(0)
            word += words.pop(0) if words else ""
        yield word


def config_named(words: Sequence[str]) -> str | None:
    """Return the profile file that the words name last."""
    return value_named(words, CONFIG_OPTIONS)


def format_named(words: Sequence[str]) -> str | None:
    """Return the format of results that the words name."""
    return value_named(words, ("--output", "-o")) or ("json" if "--json" in words else None)


def value_named(words: Sequence[str], options: Collection[str]) -> str | None:
    """Return the value that the words give last to an option, by any of its names."""
    named = None
    for word, following in zip(words, [*words[1:], None], strict=False):
        name, equals, value = word.partition("=")
        if word in options:
            named = following
        elif equals and name.startswith("--") and name in options:
            named = value
    return named
