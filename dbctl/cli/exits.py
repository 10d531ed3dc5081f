"""The exit codes, and the one mapping from error types to them."""

from collections.abc import Iterable
from enum import IntEnum

from dbctl import errors


class ExitCode(IntEnum):
    """What dbctl's exit code tells the script that called it."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> "ExitCode":
        """Make a code that carries its meaning in words."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    DONE = 0, "done"
    REFUSED_BY_DATABASE = 1, "refused by the database, or not found; all rolled back"
    USAGE = 2, "usage"
    CONFIGURATION = 3, "configuration: profile file, profile name, secret"
    NO_CONNECTION = 4, "no connection: name, TCP, TLS, login, database"
    OUT_OF_TIME = 5, "out of time: wait, pool, statement or lock timeout"
    CHECK_FAILED = 6, "a check answered no: tables missing, drift, doctor's findings"
    LOCK_HELD = 7, "another run holds the lock"
    UNCONFIRMED = 8, "refused: protected profile without its confirmation"
    OUTCOME_UNKNOWN = 9, "outcome unknown: the connection was lost during COMMIT"
    OUTPUT_LOST = 10, "done, but the output was lost"
    BUG = 70, "a bug in dbctl"
    INTERRUPTED = 130, "SIGINT: rolled back, locks released"
    TERMINATED = 143, "SIGTERM: rolled back, locks released"


_BY_SEVERITY = (
    *(ExitCode.BUG, ExitCode.OUTCOME_UNKNOWN, ExitCode.INTERRUPTED, ExitCode.TERMINATED, ExitCode.OUTPUT_LOST),
    *(ExitCode.REFUSED_BY_DATABASE, ExitCode.NO_CONNECTION, ExitCode.OUT_OF_TIME, ExitCode.CONFIGURATION),
    *(ExitCode.UNCONFIRMED, ExitCode.USAGE, ExitCode.LOCK_HELD, ExitCode.CHECK_FAILED),
)
"""Of several codes the first of these is theirs; a service's own comes before them all."""


def worst_code(codes: Iterable[int]) -> int:
    """Return the one code for several: the worst of those that are not 0."""
    failed = [code for code in codes if code]
    own = [code for code in failed if code not in set(_BY_SEVERITY)]
    return next(iter([*own, *(code for code in _BY_SEVERITY if code in failed)]), ExitCode.DONE)


_BY_ERROR: dict[type[errors.DbctlError], ExitCode] = {
    errors.UsageError: ExitCode.USAGE,
    errors.ConfigError: ExitCode.CONFIGURATION,
    errors.ConnectError: ExitCode.NO_CONNECTION,
    errors.OutOfTime: ExitCode.OUT_OF_TIME,
    errors.WorkRefused: ExitCode.REFUSED_BY_DATABASE,
    errors.CheckFailed: ExitCode.CHECK_FAILED,
    errors.LockHeld: ExitCode.LOCK_HELD,
    errors.ConfirmationNeeded: ExitCode.UNCONFIRMED,
    errors.OutcomeUnknown: ExitCode.OUTCOME_UNKNOWN,
    errors.OutputLost: ExitCode.REFUSED_BY_DATABASE,
    errors.ResultLost: ExitCode.OUTPUT_LOST,
}


def exit_code(error: BaseException) -> int:
    """Return the exit code for an error: that of its nearest mapped ancestor, or BUG for one dbctl did not raise.

    Where a service's own function, or a program, has ended with one, it is that.
    """
    if isinstance(error, errors.Exited):
        return error.code
    for ancestor in type(error).__mro__:
        if ancestor in _BY_ERROR:
            return _BY_ERROR[ancestor]
    return ExitCode.BUG
