"""Many schemas held against each other: each group's differences make its schema of the reference's."""

import random

from dbctl.catalog.schemas import Part
from dbctl.catalog.variants import Variants


def test_the_differences_make_one_of_the_other(dice: random.Random) -> None:
    for _ in range(200):
        parts: list[Part] = [(f"t{table}", f"column c{column}") for table in range(3) for column in range(3)]
        names = [f"p{number}" for number in range(dice.randrange(1, 12))]
        schemas = {
            name: {part: dice.choice("ab") for part in dice.sample(parts, dice.randrange(6, 10))} for name in names
        }
        schemas |= {name: schemas[dice.choice(names)] for name in names if dice.random() < 0.6}
        variants = Variants()
        for name in dice.sample(names, len(names)):
            variants.add(name, schemas[name])
        reference = dice.choice([None, *names])
        groups = variants.groups(names, reference)
        assert sorted(name for group in groups for name in group.names) == sorted(names)
        first = schemas[groups[0].names[0]]
        assert reference in groups[0].names or reference is None
        assert reference or len(groups[0].names) == max(len(group.names) for group in groups)
        for group in groups:
            made = dict(first)
            for change in group.changes:
                assert made.pop(change.part, None) == change.reference
                if change.found is not None:
                    made[change.part] = change.found
            assert all(schemas[name] == made for name in group.names)
            assert [*group.names] == sorted(group.names, key=names.index)
