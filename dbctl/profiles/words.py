"""Saying which of the known words was meant."""

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which of the known words was probably meant, or list them where none is near."""
    from difflib import get_close_matches  # needed only where something is wrong

    names = list(known)
    if close := get_close_matches(word, names, n=1):
        return f'did you mean "{close[0]}"?'
    return f"known are {', '.join(names)}" if names else "there are none"
