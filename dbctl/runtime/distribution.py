"""The distribution that dbctl was installed from, by which an extra of it is named.

On PyPI the name `dbctl` belongs to another program: to advise installing that would be to install a stranger's.
"""

from importlib import metadata
from pathlib import Path

NAME = "sqlmodel-dbctl"
"""What this project is called on PyPI; the command and the package are called dbctl."""


def how_to_install(extra: str) -> str:
    """Return the command that installs an extra of the distribution that dbctl was installed from."""
    return f'pip install "{_installed_as()}[{extra}]"'


def missing_module(error: ImportError, *modules: str) -> str:
    """Return the name of the module that is not there, also where the error does not tell it.

    Args:
        error: What the import raised.
        modules: Those that may be missing.
    """
    from importlib.util import find_spec

    for name in modules:
        try:
            found = find_spec(name) is not None
        except (ImportError, ValueError):  # ValueError: what stands for it in sys.modules is no module
            found = False
        if not found:
            return name
    return str(error.name or error)


def _installed_as() -> str:
    """Return the name of the distribution whose file the package is, or else the project's own."""
    package = Path(__file__).resolve().parents[1]
    for name in dict.fromkeys([NAME, *metadata.packages_distributions().get(package.name, ())]):
        try:
            place = Path(str(metadata.distribution(name).locate_file(f"{package.name}/__init__.py")))
        except metadata.PackageNotFoundError:
            continue
        if place.resolve() == package / "__init__.py":
            return str(name)
    return NAME
