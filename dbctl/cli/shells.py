"""The scripts by which shells complete dbctl's line, and installing them.

A script hands the line to dbctl in variables, and takes what it answers as lines of text: nothing of an answer is ever
run or expanded by the shell, for it may hold names out of a database.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from dbctl.errors import ConfigError, UsageError

_BASH = r"""
_dbctl_completion() {
    local IFS=$'\n' line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" _DBCTL_COMPLETE=complete_bash "$1" 2>/dev/null)
}

complete -o default -F _dbctl_completion dbctl
"""

_ZSH = r"""
#compdef dbctl

_dbctl_completion() {
    local value help
    local -a values shown
    while IFS=$'\t' read -r value help; do
        values+=("$value")
        shown+=("$value${help:+  -- $help}")
    done < <(env _DBCTL_WORDS="${words[1,$CURRENT]}" _DBCTL_COMPLETE=complete_zsh $words[1] 2>/dev/null)
    if (( ! $#values )); then
        _files
    elif [[ "$values" == "$shown" ]]; then
        compadd -a values
    else
        compadd -l -d shown -a values
    fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _dbctl_completion "$@"
else
    compdef _dbctl_completion dbctl
fi
"""

_FISH = r"""
function _dbctl_completion
    set -l answer (env _DBCTL_COMPLETE=complete_fish _DBCTL_WORDS=(commandline -cp | string collect) dbctl 2>/dev/null)
    if test (count $answer) -gt 0
        printf '%s\n' $answer
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --command dbctl --no-files --arguments '(_dbctl_completion)'
"""

_SCRIPTS: Mapping[str, str] = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str) -> str:
    """Return the script by which a shell completes.

    Args:
        shell: Its name; that of the one dbctl was started from where it is empty.

    Raises:
        UsageError: There is none for it.
    """
    return _SCRIPTS[_known(shell)].lstrip()


def install(shell: str, environ: Mapping[str, str] = os.environ) -> str:
    """Install the script where the shell finds it when it starts, and say where that is.

    Args:
        shell: Its name; that of the one dbctl was started from where it is empty.
        environ: The environment, with HOME, ZDOTDIR and XDG_CONFIG_HOME.

    Raises:
        UsageError: There is no script for the shell.
        ConfigError: There is no home directory of this user's to write to, or it can't be written.
    """
    shell = _known(shell)
    home = _home(environ)
    try:
        path = _INSTALL[shell](home, environ)
    except OSError as error:
        raise ConfigError(f"{error.filename}: can't be written: {error.strerror}") from error
    return f"{path} is written; {shell} completes dbctl when it is started next"


def _in_bash(home: Path, _environ: Mapping[str, str]) -> Path:
    path = _written(home / ".bash_completions" / "dbctl.sh", "bash")
    _ensure(home / ".bashrc", ".bash_completions/dbctl.sh", "source ~/.bash_completions/dbctl.sh")
    return path


def _in_zsh(home: Path, environ: Mapping[str, str]) -> Path:
    path = _written(home / ".zfunc" / "_dbctl", "zsh")
    settings = Path(environ.get("ZDOTDIR") or home) / ".zshrc"
    _ensure(settings, ".zfunc", "fpath+=~/.zfunc; autoload -Uz compinit; compinit")
    return path


def _in_fish(home: Path, environ: Mapping[str, str]) -> Path:
    settings = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return _written(settings / "fish" / "completions" / "dbctl.fish", "fish")


_INSTALL: Mapping[str, Callable[[Path, Mapping[str, str]], Path]] = {
    "bash": _in_bash,
    "zsh": _in_zsh,
    "fish": _in_fish,
}


def _written(path: Path, shell: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script(shell), encoding="utf-8")
    return path


def _ensure(settings: Path, mark: str, line: str) -> None:
    """Add a line to the shell's own file, unless there is one already that does the same; all else stays as it is."""
    present = settings.read_bytes() if settings.exists() else b""
    if mark.encode() not in present:
        with settings.open("ab") as file:
            file.write(b"".join([b"\n" if present and not present.endswith(b"\n") else b"", line.encode(), b"\n"]))


def _known(shell: str) -> str:
    name = shell or _current()
    if name not in _SCRIPTS:
        found = f"{name} is none of the shells" if name else "it can't be told which shell this is"
        raise UsageError(f"{found} for which there is a script", f"name one of {', '.join(_SCRIPTS)}")
    return name


def _current() -> str:
    """Return the name of the shell that dbctl was started from, or else of the user's own; empty where nobody tells."""
    import shellingham  # type: ignore[import-untyped]  # Typer's own dependency

    try:
        name, _ = shellingham.detect_shell()
    except (shellingham.ShellDetectionFailure, OSError):
        return os.path.basename(os.environ.get("SHELL", ""))
    return str(name)


def _home(environ: Mapping[str, str]) -> Path:
    """Return the home directory; one that is not this user's own would be written in the wrong one's name.

    Raises:
        ConfigError: There is none.
    """
    home = environ.get("HOME")
    if not home:
        problem = "HOME is not set"
    elif not os.path.isabs(home) or not os.path.isdir(home):
        problem = f"HOME={home} is no directory"
    elif os.stat(home).st_uid != os.geteuid():
        problem = f"HOME={home} belongs to another user"
    else:
        return Path(home)
    raise ConfigError(f"{problem}: nothing is installed", "put what --show-completion shows where your shell reads it")
