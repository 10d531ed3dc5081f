"""Saying which of the known words was meant."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which of the known words was probably meant, or list them where none is near."""
    from difflib import get_close_matches  # needed only where something is wrong

    names = list(known)
    if close := get_close_matches(word, names, n=1):
        return f'did you mean "{close[0]}"?'
    return f"known are {', '.join(names)}" if names else "there are none"


def nearly(word: str, known: Iterable[str]) -> str | None:
    """Return the known word of which this one is a misspelling, or None where it is a word of its own."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.9)), None)
