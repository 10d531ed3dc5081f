"""What dbctl adds to alembic's comparison, as a plugin of it that no other comparison takes in.

https://alembic.sqlalchemy.org/en/latest/autogenerate.html#plugins
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic.runtime.plugins import Plugin
from alembic.util import DispatchPriority, PriorityDispatchResult

from dbctl.drift.columns import compare_column
from dbctl.drift.parts import compare_parts
from dbctl.drift.state import State

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

NAME = "dbctl.drift"
PLUGINS = ["alembic.autogenerate.*", "~alembic.autogenerate.types", "~alembic.autogenerate.defaults", NAME]
"""All of alembic's own, but those for which the database is asked."""
STATE = "dbctl_drift"
"""What the comparison's `State` is called among the options of its context."""


def _column(
    context: AutogenContext, change: Any, _schema: Any, _table: Any, _name: Any, there: Any, model: Any
) -> PriorityDispatchResult:
    compare_column(_state(context), change, there, model)
    return PriorityDispatchResult.CONTINUE


def _parts(
    context: AutogenContext, changes: Any, _schema: Any, _name: Any, there: Any, model: Any
) -> PriorityDispatchResult:
    if there is not None and model is not None:
        compare_parts(_state(context), changes, context.inspector, there, model)
    return PriorityDispatchResult.CONTINUE


def _state(context: AutogenContext) -> State:
    state: State = context.opts[STATE]
    return state


_plugin = Plugin(NAME)
# After alembic's own, whose findings they look through.
_plugin.add_autogenerate_comparator(_column, "column", NAME, priority=DispatchPriority.LAST)
_plugin.add_autogenerate_comparator(_parts, "table", NAME, priority=DispatchPriority.LAST)
