"""Frozen dataclasses that are cheap to define.

For each of its own `dataclass(frozen=True)` compiles six methods, which takes four times as long as compiling the one
that differs in more than names. A command defines fifty, and with dbctl's modules that was most of what its start took
longer than that of a script by hand. What is the same for all stands here once.
https://docs.python.org/3/library/dataclasses.html
"""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, field, fields
from typing import Any, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """Make a class what `dataclass(frozen=True)` would make it: one whose objects do not change, and equal by fields.

    A method that the class has of its own stays.
    """
    made = dataclass(eq=False, repr=False)(cls)
    own = vars(cls)
    if "__eq__" not in own:
        made.__eq__ = _equals  # type: ignore[method-assign]
        made.__hash__ = own.get("__hash__") or _hash  # type: ignore[method-assign]
    if "__repr__" not in own:
        made.__repr__ = _repr  # type: ignore[method-assign]
    made.__setattr__, made.__delattr__ = _set, _delete  # type: ignore[method-assign]
    return made


def _set(self: Any, name: str, value: object) -> None:
    """Set an attribute once, as the class's own `__init__` does."""
    if name in self.__dict__:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _delete(_self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _compared(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, each.name) for each in fields(self) if each.compare)


def _equals(self: Any, other: object) -> bool:
    return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: Any) -> int:
    return hash(_compared(self))


def _repr(self: Any) -> str:
    shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
    return f"{self.__class__.__qualname__}({shown})"
