"""What a database makes of a script of several statements."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from dbctl.records import record

if TYPE_CHECKING:
    from sqlalchemy import Connection


@record
class Statement:
    """A statement of a script.

    Attributes:
        start: Where it begins in the script, in characters.
        text: The statement, without what ends it.
    """

    start: int
    text: str


class Scripts:
    """The part of a backend that runs scripts; each database's own way is an override."""

    quoted: ClassVar[str] = r"--[^\n]*|/\*(?:.|\n)*?(?:\*/|\Z)|'(?:[^']|'')*(?:'|\Z)|\"(?:[^\"]|\"\")*(?:\"|\Z)"
    """A regular expression for comments, and for what is quoted: nothing in it is a word of the script's."""
    compound: ClassVar[str | None] = None
    """What begins a statement with others in it, from BEGIN to END."""
    client_words: ClassVar[str] = r"\\\S+|DELIMITER\b"
    """What begins a line that a client of the database would obey, and no server knows."""
    executed_comments: ClassVar[tuple[str, ...]] = ()
    """What comments begin with that the server runs."""
    no_transaction: ClassVar[str | None] = None
    """What the server says of a statement that can't be run in a transaction, as a regular expression."""

    def statements(self, script: str) -> list[Statement]:
        """Return where a script's statements stand: for messages, since the server splits it by itself."""
        found: list[Statement] = []
        start: int | None = None
        body = _Body(self.compound)
        end = 0
        for kind, at, word in self._tokens(script):
            if start is None and word != ";":
                start, body = at, _Body(self.compound)
            if word == ";" and not body.depth:
                if start is not None:
                    found.append(Statement(start, script[start:at].rstrip()))
                start = None
            elif kind == "word":
                body.hear(word.upper())
            end = at + len(word)
        if start is not None:
            found.append(Statement(start, script[start : max(end, start)].rstrip()))
        return found

    def code(self, script: str) -> str:
        """Return a script with blanks in the place of comments and of all that is quoted; no place in it moves."""

        def blank(match: re.Match[str]) -> str:
            return re.sub(r"[^\n]", " ", match[0])

        return re.sub(self.quoted, blank, script)

    def literal(self, driver_connection: Any, value: str) -> str:
        """Return a text as a literal of SQL."""
        doubled = value.replace("'", "''")
        return f"'{doubled}'"

    def run_script(self, driver_connection: Any, script: str) -> Iterator[int]:
        """Run a script in the transaction that the connection is in; yield what each statement did.

        Yields:
            How many rows a statement returned, or changed; -1 where it has to do with none.

        Raises:
            Exception: What the driver raises for the statement after those that were yielded.
        """
        raise NotImplementedError

    def failed_offset(self, error: BaseException, statement: Statement) -> int:
        """Return where in the script a statement failed, in characters, as far as the error tells."""
        return statement.start

    def let_commit(self, driver_connection: Any) -> None:
        """Have each statement on a connection committed by itself."""
        driver_connection.autocommit = True

    def mark(self, connection: Connection) -> object:
        """Mark the transaction that a connection has begun, and return what `lasts` knows it by."""
        return None

    def has_written(self, connection: Connection) -> bool | None:
        """Tell whether the transaction on a connection has written anything; None where nobody knows."""
        return None

    def lasts(self, connection: Connection, mark: object) -> bool:
        """Tell whether a connection is still in the transaction that was marked, or in one that an error has ended.

        What ends it past SQLAlchemy, such as a COMMIT within a procedure or on the driver's own connection, goes
        unnoticed there.
        """
        raise NotImplementedError

    def _tokens(self, script: str) -> Iterator[tuple[str, int, str]]:
        """Yield words, semicolons and what is quoted, but no comment, each with its place."""
        for match in re.finditer(rf"(?P<quoted>{self.quoted})|(?P<word>;|\w+|[^\s\w;])", script):
            text = match[0]
            comment = text.startswith(("--", "/*", "#")) and not text.startswith(self.executed_comments)
            if match["word"] is not None or not comment:
                yield ("word" if match["word"] is not None else "quoted"), match.start(), text


class _Body:
    """Whether a statement is in the midst of one with others in it."""

    _OPENING = frozenset({"LOOP", "REPEAT", "WHILE", "IF"})
    _BEFORE = frozenset({";", "BEGIN", "THEN", "ELSE", "DO", "LOOP", "REPEAT", ":"})

    def __init__(self, compound: str | None) -> None:
        self.depth = 0
        self._compound = compound
        self._head = ""
        self._is_compound = False
        self._last = ""

    def hear(self, word: str) -> None:
        """Take note of the statement's next word."""
        if not self._is_compound and self._compound and len(self._head) < 200:
            self._head += f" {word}"
            self._is_compound = bool(re.match(self._compound, self._head.strip()))
        if self._is_compound:
            if self._last == "END" and (word in self._OPENING or word == "CASE"):
                pass
            elif word == "END":
                self.depth -= 1
            elif word in {"BEGIN", "CASE"} or (word in self._OPENING and self._last in self._BEFORE):
                self.depth += 1
        self._last = word


def sql_text(statement: str) -> str:
    """Return a statement's beginning on one line, for a message."""
    line = " ".join(statement.split())
    return line if len(line) <= 80 else f"{line[:80]}…"
