"""Every error that dbctl raises, as a tree.

    DbctlError
    ├── UsageError          what was typed does not fit the command
    ├── ConfigError         profile file, profile name, secret
    ├── ConnectError        no connection; `stage` names the step that failed
    ├── OutOfTime           the wait, the pool, a statement or a lock took longer than allowed
    ├── WorkRefused         the database refused the work; all of it is rolled back
    │   ├── NotFound        what was asked for is not there
    │   ├── Ambiguous       a name stands for more than one row
    │   ├── Conflict        a constraint of the database says no
    │   │   ├── Duplicate        unique: there is a row like it already
    │   │   └── BrokenReference  foreign key: a row would refer to one that is not there
    │   ├── Contention      other transactions got in the way: a deadlock, or a failed serialization
    │   ├── MissingTable    the work needs a table that is not there
    │   ├── NoSpace         the database has no space left to write to
    │   ├── Unsupported     the database has nothing of the kind
    │   └── FunctionFailed  a service's own function has raised an error of its own
    ├── Exited              a service's own function, or a program, has ended with an exit code
    ├── CheckFailed         a check answered no
    ├── LockHeld            another run holds the lock
    ├── ConfirmationNeeded  a protected profile without its confirmation
    ├── OutcomeUnknown      the connection was lost during COMMIT and the server can't be asked
    └── OutputLost          what was to be shown can't be written
        └── ResultLost      nor can the result of work that is done

The message says what is wrong and where, the hint what to do next. Neither ever holds a password.
"""

from collections.abc import Collection
from enum import StrEnum, unique


@unique  # or two that read alike would be done alike
class Remedy(StrEnum):
    """What would help against an error, where whoever shows it knows how that is done: a command, an option."""

    CREATE_TABLES = "create the tables"
    LIST_TABLES = "see which tables there are"
    CREATE_MISSING = "create them"
    CREATE_WITH_SCHEMAS = "create them, and their schemas"
    CREATE_DATABASE = "create it"
    CREATE_ON_SERVER = "create the database"
    NAME_MAINTENANCE = "name a database that this role may connect to"
    NAME_DATABASE = "name the database"
    END_SESSIONS = "end them"
    WAIT_FOR_LOCK = "wait for it"
    WAIT_LONGER = "try again, or wait longer"
    TAKE_LONGER = "let it take longer"
    NAME_MODELS = "name the modules that define your tables"
    GIVE_PASSWORD = "no password was given: name its source, such as password_env"
    NAME_PROFILE = "name one"
    GIVE_URL = "write a profile for it, or give it as a URL"
    NAME_APP_DIR = "name the directory that holds it"
    EXCLUDE_MODULE = "leave it out"
    NO_TRANSACTION = "run it without one"
    RUN_AS_SCRIPT = "run it as a script without a transaction"
    TAKE_OUT_OR_NO_TRANSACTION = "take it out, or run it without one"
    DROP_IN_BATCHES = "raise max_locks_per_transaction, or drop the tables in batches"
    RESUME = "mend what was wrong, and run the rest"
    RUN_THE_REST = "run the rest"
    RESUME_UPGRADE = "mend what was wrong, and run the rest of the upgrade"
    RESUME_DOWNGRADE = "mend what was wrong, and run the rest of the downgrade"
    STAMP_MADE = "where its tables are there already, say so"
    MIGRATE = "run the migrations"
    BEGIN_ALEMBIC = 'name it with alembic = "PATH" in the profile file, or begin'
    MERGE_HEADS = "name one, or heads for all of them, or merge them"
    LIST_REVISIONS = "list those that there are"
    NO_LOCK = "where nobody else migrates it meanwhile, run it without one"
    END_SESSION = "end the session itself"
    END_SUPERUSERS = "where that is meant, end it all the same"
    STAMP = "run it with the release that has it, or say where the database is"


class DbctlError(Exception):
    """Base of all errors that dbctl raises on purpose.

    Args:
        message: What is wrong and where: file, key, row. One line, or one line a finding.
        hint: What to do about it, as a sentence part that can follow the message; or a `Remedy`.

    `result`, where it is set, is shown on stdout as a command's result is. `left` says what the work had committed
    before it failed, which stays: nothing but where that can't be helped, or was asked for. `heals` says that the whole
    unit of work may succeed if it is run again, in a new transaction. `whose` is the name of the profile that the hint
    is about, where that is known.
    """

    result: object = None
    left: str = ""
    whose: str | None = None
    heals: bool = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return "; ".join(filter(None, [self.message, self.left, self.hint]))


class UsageError(DbctlError):
    """What was typed does not fit the command."""


class ConfigError(DbctlError):
    """The profile file, the profile's name or a secret is wrong; nothing was connected to."""


class ConnectError(DbctlError):
    """There is no connection to work on.

    Args:
        message: What is wrong.
        stage: The step that failed: "tunnel", "name resolution", "TCP", "TLS", "login", "database" or "SELECT 1".
        hint: What to do about it.
        transient: Whether it may heal by itself, as where the server is about to start.
    """

    def __init__(self, message: str, stage: str = "connection", hint: str = "", *, transient: bool = False) -> None:
        super().__init__(message, hint)
        self.stage = stage
        self.transient = transient


class OutOfTime(DbctlError):
    """Waiting for the server, the pool, a statement or a lock took longer than allowed."""


class WorkRefused(DbctlError):
    """The database refused the work; all of it is rolled back."""


class NotFound(WorkRefused):
    """What was asked for is not there."""


class Ambiguous(WorkRefused):
    """A name stands for more than one row."""


class Conflict(WorkRefused):
    """A constraint of the database (unique, foreign key, not null, check, length, range) says no."""


class Duplicate(Conflict):
    """There is a row already that is unique in what this one repeats."""


class BrokenReference(Conflict):
    """A row would refer to one that is not there, or that would no longer be there."""


class Contention(WorkRefused):
    """Other transactions got in the way of this one: a deadlock, or one that could not be serialized with them."""


class MissingTable(WorkRefused):
    """The work needs a table that is not there."""


class NoSpace(WorkRefused):
    """The database has no space left to write to."""


class Unsupported(WorkRefused):
    """The database has nothing of the kind."""


class FunctionFailed(WorkRefused):
    """A service's own function has raised an error that is none of the database's; what was not committed is undone."""


class Exited(DbctlError):
    """A service's own function, or a program, has ended with an exit code other than 0, which is to be kept.

    Args:
        code: The exit code.
        message: What to say of it; "" where it has said all by itself.
    """

    def __init__(self, code: int, message: str = "") -> None:
        super().__init__(message)
        self.code = code


class CheckFailed(DbctlError):
    """A check answered no.

    Args:
        message: What was found.
        result: The check's findings, shown on stdout as a command's result is.
        hint: What to do about it.
    """

    def __init__(self, message: str, result: object = None, hint: str = "") -> None:
        super().__init__(message, hint)
        self.result = result


class LockHeld(DbctlError):
    """Another run holds the lock."""


class ConfirmationNeeded(DbctlError):
    """The profile is protected and the command was not confirmed."""


class OutcomeUnknown(DbctlError):
    """The connection was lost during COMMIT and the server can't be asked what became of it."""


class OutputLost(DbctlError):
    """What was to be shown can't be written."""


class ResultLost(OutputLost):
    """The work is done, and what was committed stays; but its result can't be written."""


_BY_SEVERITY = (ConfigError, ConnectError, OutOfTime)
"""What may be wrong with one of several profiles, the worst last; all else comes before."""


def worst_of(errors: Collection[DbctlError], message: str, result: object) -> DbctlError:
    """Sum several errors up in one of the type of the worst.

    Args:
        errors: The errors, one or more.
        message: What to say of them.
        result: What there is to show all the same.
    """

    def severity(error: DbctlError) -> int:
        return max((rank for rank, kind in enumerate(_BY_SEVERITY) if isinstance(error, kind)), default=-1)

    worst = max(errors, key=severity)
    kind = next((kind for kind in _BY_SEVERITY if isinstance(worst, kind)), type(worst))
    summary = kind(message)
    summary.result = result
    return summary
