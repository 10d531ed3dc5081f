"""What is asked of a person at the terminal."""

import sys

from dbctl.errors import UsageError


def ask_password(profile: str) -> str:
    """Ask for a profile's password, without showing what is typed.

    Raises:
        UsageError: There is no terminal to ask on.
    """
    from getpass import getpass

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("--ask-password: there is no terminal to ask on", "name a source, such as password_env")
    try:
        return getpass(f"Password of profile {profile}: ", stream=sys.stderr)
    except EOFError:
        raise UsageError("--ask-password: no password was typed") from None
