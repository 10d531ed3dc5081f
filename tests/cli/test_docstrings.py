"""What a function's docstring says of its parameters describes its options, in either of the usual ways."""

import pytest

from dbctl.cli.docstrings import Description, parameters_in

GOOGLE = """Raise prices.

    Args:
        percent: By how much,
            in percent.
        name (str): Whose.

    Returns:
        Rows.
    """
SPHINX = """Raise prices.

    :param percent: By how much,
        in percent.
    :param str name: Whose.
    :returns: Rows.
    """


@pytest.mark.parametrize("docstring", [GOOGLE, SPHINX], ids=["Google", "Sphinx"])
def test_parameters_are_described_and_the_rest_is_for_programmers(docstring: str) -> None:
    assert parameters_in(docstring) == {"percent": "By how much, in percent.", "name": "Whose."}
    assert Description.of(docstring).text == "Raise prices."
