"""The drivers' cursors, made to mark the errors that come past SQLAlchemy.

A service may take the driver's own connection from its session, for a COPY or a LOAD DATA. What is raised there
passes no event of SQLAlchemy's; but every driver lets the class of its cursors, or of its connections, be named.
Of those that these make in turn the class is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.backends.origins import note_origin

if TYPE_CHECKING:
    from dbctl.profiles import Profile

C = TypeVar("C")
Note = Callable[[Any, BaseException], None]


def marking(
    base: type[C],
    methods: Collection[str],
    profile: Profile,
    *,
    asynchronous: bool = False,
    is_lost: Callable[[Any, BaseException], bool] = lambda *_: False,
    tell: Note = lambda *_: None,
    connection: str = "connection",
    made_by_driver: bool = False,
) -> type[C]:
    """Return a subclass of a driver's class of cursors, or of connections, that marks what its methods raise.

    Args:
        base: The driver's class.
        methods: The names of those of its methods that ask the server; the ones that it has are taken.
        profile: The profile of the engine whose connections these are.
        asynchronous: Whether the methods are to be awaited.
        is_lost: Tells of the driver's connection, and of an error that it raised, whether it is lost.
        tell: Notes with an error of a driver's connection what else is known of it.
        connection: The attribute in which they have their connection; those that have none are connections.
        made_by_driver: Whether the driver makes them, of the base, and they become this class's afterwards: then they
            have room for no attributes but the base's.
    """

    def note(raised_by: Any, error: BaseException) -> None:
        its = getattr(raised_by, connection, raised_by)
        note_origin(error, profile, connection=its, lost=is_lost(its, error))
        tell(its, error)

    wrap = _awaited if asynchronous else _called
    own = {name: wrap(getattr(base, name), note) for name in methods if hasattr(base, name)}
    room: dict[str, Any] = {"__slots__": ()} if made_by_driver else {}
    return type(base.__name__, (base,), {"__module__": base.__module__, "__doc__": base.__doc__, **room, **own})


def _called(method: Callable[..., Any], note: Note) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except Exception as error:
            note(self, error)
            raise

    return call


def _awaited(method: Callable[..., Any], note: Note) -> Callable[..., Any]:
    @wraps(method)
    async def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await method(self, *args, **kwargs)
        except Exception as error:
            note(self, error)
            raise

    return call
