"""`dbctl copy`."""

import re
from typing import Annotated, Any

import typer

from dbctl.bulk.crossing import Copied, Crossing
from dbctl.errors import UsageError
from dbctl.work.effects import writes

PANEL = "Data"
PLACE = 30
PAGE = "copy"

# A table's name before its condition; and no cast, as in id::text.
_TABLE = re.compile(r"""((?:"(?:[^"]|"")+"|`(?:[^`]|``)+`|[^\s:"'`()\[\]])+):(?!:)""")


def _complete(ctx: Any, incomplete: str) -> list[str]:
    from dbctl.profiles.completion import complete_profile

    return complete_profile(ctx, incomplete)


@writes(creates="create", retries=0)
def copy(
    crossing: Crossing,
    source: Annotated[
        str,
        typer.Option("--from", metavar="PROFILE", help="The profile that rows come from.", autocompletion=_complete),
    ],
    target: Annotated[
        str,
        typer.Option("--to", metavar="PROFILE", help="The profile that they come into.", autocompletion=_complete),
    ],
    tables: Annotated[
        list[str] | None, typer.Argument(metavar="TABLE", help="The tables, as table or schema.table.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="Copy all tables.")] = False,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="TABLE", help="With --all: not this one; may be repeated, or a pattern."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", metavar="[TABLE:]SQL", help="Copy only these rows, of all tables or of one."),
    ] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare both sides before the target commits; refuse what differs.")
    ] = False,
    mask: Annotated[
        list[str] | None,
        typer.Option(
            "--mask",
            metavar="TABLE.COLUMN=WAY",
            help="Mask a column by hash, null, fake or keep, over the rules of the profile; may be repeated.",
        ),
    ] = None,
    refuse_unmasked: Annotated[
        bool, typer.Option("--refuse-unmasked", help="Refuse columns that no rule names, not even by keep.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Commit ranges of the primary key one by one, and go on where a run was cut."),
    ] = False,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs", min=1, metavar="NUMBER", help="Copy so many tables at a time, from PostgreSQL with --resume."
        ),
    ] = 1,
    create: Annotated[
        bool, typer.Option("--create", help="Create the tables that are not there, as the source has them.")
    ] = False,
    truncate: Annotated[
        bool, typer.Option("--truncate", help="Empty the tables before, in the same transaction.")
    ] = False,
    lossy: Annotated[bool, typer.Option("--lossy", help="Copy also into columns that hold less, and say so.")] = False,
) -> list[Copied]:
    """Copy tables from one database into another, of whichever kind, with no file between.

    All is read of one moment, and comes into one transaction: whole, or not at all. Tables come behind those that they
    refer to. Columns that the database computes are left out; numbers that it gives by itself go on.

    Examples:
        $ dbctl copy hero team --from prod --to staging
        $ dbctl copy --all --from legacy --to new --verify
        $ dbctl copy invoice --from prod --to staging --where "invoice: created > '2026-01-01'"
    """
    from dbctl.bulk import copying
    from dbctl.bulk.crossing import Wish
    from dbctl.bulk.masking import masks_of

    if truncate and resume:
        raise UsageError("--truncate is in one transaction, and --resume in many", "leave one of them out")
    masks = masks_of(crossing.named(source).mask, mask or (), complete=refuse_unmasked)
    wish = Wish(
        tables or (),
        all_,
        _conditions(where or []),
        create,
        lossy,
        verify,
        resume,
        masks,
        jobs,
        exclude or (),
        truncate,
    )
    return list(copying.copy(crossing, source, wish))


def _conditions(where: list[str]) -> dict[str, str]:
    """Return the conditions by table; one that names none is "" and holds for all that have no own."""
    from dbctl.backends.names import unquoted

    found: dict[str, str] = {}
    for one in where:
        named = _TABLE.match(one)
        found[unquoted(named[1]) if named else ""] = one[named.end() if named else 0 :].strip()
    return found
