"""Text is folded between words and lost nowhere, and columns share a screen."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from dbctl.cli.render.layout import GAP, folded, is_simple, longest_word, padded, shares, width_of

LETTERS = st.sampled_from("ab c  d日本é\u0301\u200d😀Ä")
TEXTS = st.text(LETTERS, max_size=60)


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 5, [""]),
        ("abc", 5, ["abc"]),
        ("two words", 5, ["two", "words"]),
        ("two words", 9, ["two words"]),
        ("a b c d", 3, ["a b", "c d"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("a bcdefgh", 3, ["a", "bcd", "efg", "h"]),
        ("abcdefgh i", 3, ["abc", "def", "gh", "i"]),
        ("line\nline two", 6, ["line", "line", "two"]),
        ("日本語", 4, ["日本", "語"]),
        ("日本語", 1, ["日", "本", "語"]),
        ("e\u0301e\u0301", 1, ["e\u0301", "e\u0301"]),
    ],
)
def test_text_is_folded(text: str, width: int, lines: list[str]) -> None:
    assert list(folded(text, width)) == lines


@given(TEXTS, st.integers(2, 20))
@example("a" * 100, 7)
def test_no_character_is_lost_and_no_line_too_wide(text: str, width: int) -> None:
    lines = list(folded(text, width))
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(width_of(line.rstrip(" ")) <= width for line in lines)


@given(TEXTS, st.integers(2, 20))
def test_a_word_that_fits_is_not_broken(text: str, width: int) -> None:
    lines = list(folded(text, width))
    words = [word for word in text.split(" ") if word and width_of(word) <= width]
    held = [piece for line in lines for piece in line.split(" ")]
    assert all(word in held for word in words)


@given(st.text(max_size=30))
def test_a_width_is_what_a_terminal_takes(text: str) -> None:
    assert width_of(text) == (len(text) if is_simple(text) else cell_len(text))


@given(st.characters(exclude_categories=["Cs"]))
def test_a_simple_character_takes_one_cell(character: str) -> None:
    if is_simple(character):
        assert cell_len(character) == 1
        assert character.isprintable()


@pytest.mark.parametrize(
    ("text", "right", "result"),
    [("ab", False, "ab  "), ("ab", True, "  ab"), ("日", True, "  日"), ("abcde", False, "abcde")],
)
def test_padding(text: str, right: bool, result: str) -> None:
    assert padded(text, 4, right=right) == result


def test_the_longest_word() -> None:
    assert [longest_word(text) for text in ("", "  ", "a bcd ef", "日本 abc")] == [0, 0, 3, 4]


WIDTHS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 200)), min_size=1, max_size=6)


@given(WIDTHS, st.integers(1, 120))
def test_columns_share_a_screen(widths: list[tuple[int, int]], screen: int) -> None:
    least = [low for low, _ in widths]
    wanted = [low + more for low, more in widths]
    room = screen - len(GAP) * (len(widths) - 1)
    found = shares(wanted, least, screen)
    if sum(least) > room:
        assert found is None
        return
    assert found is not None
    assert sum(found) <= max(room, 0)
    assert all(low <= width <= high for low, width, high in zip(least, found, wanted, strict=True))
    assert sum(found) == min(sum(wanted), room)


def test_the_widest_column_gives_way_first() -> None:
    assert shares([10, 50, 30], [1, 1, 1], 66) == [10, 25, 25]
    assert shares([10, 50, 30], [1, 40, 1], 66) == [10, 40, 10]
    assert shares([10, 50], [10, 45], 50) is None
