"""Results that have charts, or are looked at live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from dbctl.records import record
from dbctl.results import Frames

if TYPE_CHECKING:
    from dbctl.charts.model import Bars, Chart, LiveFrame

T = TypeVar("T")


@record
class Charted:
    """A result that has charts: people see them below it, programs get the result alone.

    Args:
        result: What a command returns otherwise: a record, or several.
        charts: The charts.
    """

    result: Any
    charts: Sequence[Chart | Bars]


class Live(Frames[T]):
    """What is looked at again and again, on a screen of its own that a key leaves; elsewhere rows, as they come.

    Args:
        frames: The frames, as they come.
        leave: Ends them soon: called when a person has seen enough.
        conclude: Returns what is left to be shown when the frames are at their end, or None.
    """

    def __init__(
        self,
        frames: Iterator[LiveFrame[T]],
        leave: Callable[[], object],
        conclude: Callable[[], Any] = lambda: None,
    ) -> None:
        super().__init__(frames, leave)
        self.conclude = conclude
