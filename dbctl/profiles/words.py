"""Saying which of the known words was meant."""

from collections.abc import Iterable

from dbctl.errors import ConfigError, Remedy


def meant(word: str, known: Iterable[str]) -> str:
    """Say which of the known words was probably meant, in whichever case; "" where none is near."""
    from difflib import get_close_matches  # needed only where something is wrong

    names = {each.lower(): each for each in known}
    close = get_close_matches(word.lower(), names, n=1)
    return f'did you mean "{names[close[0]]}"?' if close else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which of the known words was probably meant, or list them where none is near."""
    from difflib import get_close_matches

    names = list(known)
    if close := get_close_matches(word, names, n=1):
        return f'did you mean "{close[0]}"?'
    return f"known are {', '.join(names)}" if names else "there are none"


def no_profile(name: str, where: str, known: Iterable[str], said: str = "") -> ConfigError:
    """Return the error for a profile's name that is none; a URL in its place is not repeated, for it has a password.

    Args:
        name: The name.
        where: What is said behind it: where there is no such profile.
        known: The names that there are.
        said: What has named it, for the beginning of the message.
    """
    if "://" in name:
        return ConfigError(f"{said}a database URL stands where a profile's name belongs", Remedy.GIVE_URL)
    return ConfigError(f'{said}no profile "{name}"{where}', nearest(name, known))


def function_meant(word: str) -> str:
    """Return `package.module:function` for a word that names it by dots alone, as others do; "" for any other word."""
    module, _, function = word.rpartition(".")
    names = word.split(".")
    return f"{module}:{function}" if module and all(map(str.isidentifier, names)) and function != "sql" else ""


def misspelt(word: str, known: Iterable[str]) -> str:
    """Say which of the known words this one is but for a letter, or but for its case; "" where none is."""
    found = next((each for each in known if _differ_by_a_letter(word.casefold(), each.casefold())), None)
    return f'did you mean "{found}"?' if found else ""


def _differ_by_a_letter(one: str, other: str) -> bool:
    """Tell whether two words are the same once a letter is put in, taken away or replaced, or at once."""
    short, long = sorted((one, other), key=len)
    same = next((place for place, letter in enumerate(short) if long[place] != letter), len(short))
    return long[same + 1 :] in {short[same:], short[same + 1 :]} if len(long) - len(short) <= 1 else False


def nearly(word: str, known: Iterable[str]) -> str | None:
    """Return the known word of which this one is a misspelling, or None where it is a word of its own."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1, cutoff=0.9)), None)
