"""What the release of SQLAlchemy that a service has installed does not do yet."""

import re


def sqlalchemy_is_before(*release: int) -> bool:
    """Tell whether the SQLAlchemy that is installed is older than a release, such as `2, 0, 55`."""
    import sqlalchemy

    return tuple(int(number) for number in re.findall(r"\d+", sqlalchemy.__version__)[: len(release)]) < release
