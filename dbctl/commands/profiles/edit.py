"""`dbctl profiles edit`."""

import logging
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import typer

from dbctl.backends import backend_of
from dbctl.errors import ConfigError, UsageError
from dbctl.profiles.document import parse
from dbctl.profiles.files import decoded
from dbctl.profiles.writing import ProfileFile
from dbctl.records import record
from dbctl.runtime.standard_input import is_terminal
from dbctl.runtime.waits import typed_line
from dbctl.work.effects import owns_terminal

PLACE = 7
PAGE = "profile-file"

_log = logging.getLogger(__name__)


@record
class Edited:
    """The profile file after it was edited."""

    file: str
    changed: bool


@owns_terminal
def edit(file: ProfileFile) -> Edited:
    """Edit the profile file in $VISUAL or $EDITOR; only what is valid gets into it.

    The editor works on a copy. Where that is wrong at the end, you are asked whether to edit it again.

    Examples:
        $ dbctl profiles edit
        $ EDITOR="code --wait" dbctl profiles edit
    """
    old = file.text()
    directory = _directory()
    copy = directory / (file.path.name or "profiles.toml")
    keep = False
    try:
        _copied(old, copy)
        new = _edited(file, copy)
        keep = True
        if new != old:
            file.replace(old, new)
        keep = False
    except ConfigError as error:
        raise ConfigError(error.message, f"what you wrote is kept in {copy}") if keep else error from None
    finally:
        if not keep:
            shutil.rmtree(directory, ignore_errors=True)
    return Edited(str(file.path), new != old)


def _directory() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="dbctl-"))  # nobody else can look into it
    except OSError as error:
        reason = f"{error.filename or tempfile.tempdir or 'the directory for copies'}: {error.strerror}"
        raise ConfigError(f"there is nowhere to edit a copy: {reason}", "set TMPDIR to a directory of yours") from error


def _copied(text: str, copy: Path) -> None:
    try:
        copy.write_bytes(text.encode())
        copy.chmod(0o600)
    except OSError as error:
        raise ConfigError(f"{copy}: can't be written: {error.strerror}") from error


def _edited(file: ProfileFile, copy: Path) -> str:
    """Return what the editor makes of the copy, once that is valid.

    Raises:
        ConfigError: It is not, and is to be discarded.
    """
    old = copy.read_bytes()
    while True:
        _open_editor(copy)
        try:
            new = copy.read_bytes()
            if new != old:
                content = parse(file.path, decoded(new))
                file.validate(content, list(content.get("profiles", {})), backend_of)
            return decoded(new)
        except (ConfigError, OSError, UnicodeDecodeError) as error:
            if not _again(error):
                raise ConfigError(f"{error}", "nothing is changed") from error


def _open_editor(path: Path) -> None:
    variable = next((name for name in ("VISUAL", "EDITOR") if os.environ.get(name)), None)
    if variable is None and not is_terminal():
        raise UsageError("there is no terminal to edit on", "set EDITOR to a program that edits by itself")
    command = os.environ[variable] if variable else "vi"
    # Ctrl-C is the editor's while it runs. A handler, for what is ignored would be ignored in the editor too.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = subprocess.run([*shlex.split(command), str(path)], check=False).returncode
    except (OSError, ValueError) as error:
        reason = f"{variable or 'EDITOR'}: {command} can't be run: {getattr(error, 'strerror', None) or error}"
        raise ConfigError(reason, "set EDITOR to the editor's command") from error
    finally:
        signal.signal(signal.SIGINT, before)
    if code != 0:
        raise ConfigError(f"the editor {command} ended with exit code {code}", "nothing is changed")


def _again(error: Exception) -> bool:
    """Ask whether to edit again; without a terminal, or an answer, no."""
    if not is_terminal():
        return False
    for line in str(error).split("\n"):
        _log.error("error: %s", line)
    while True:
        try:
            typer.echo("Edit it again? (no discards it) [Y/n]: ", nl=False, err=True)
            answer = typed_line()
        except KeyboardInterrupt:
            answer = ""
        if not answer:
            typer.echo(err=True)  # there is no end of a line on the screen
            return False
        if answer.strip().lower() in {"", "y", "yes"}:
            return True
        if answer.strip().lower() in {"n", "no"}:
            return False
