"""A service with alembic: an env.py and a history of revisions, put into the directory where dbctl is run."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import alembic

HERE = Path(__file__).parent
TEMPLATES = Path(alembic.__file__).parent / "templates"

INI = """\
[alembic]
script_location = migrations
prepend_sys_path = .
sqlalchemy.url = driver://user:pass@localhost/dbname
{more}

[loggers]
keys = root,alembic

[handlers]
keys = console

[formatters]
keys = generic

[logger_root]
level = WARNING
handlers = console
qualname =

[logger_alembic]
level = INFO
handlers =
qualname = alembic

[handler_console]
class = StreamHandler
args = (sys.stderr,)
level = NOTSET
formatter = generic

[formatter_generic]
format = %(levelname)-5.5s [%(name)s] %(message)s
"""


@dataclass(frozen=True)
class Service:
    """A service's files.

    Attributes:
        root: Where they are.
    """

    root: Path

    @classmethod
    def make(cls, root: Path, env: str, history: str, more: str = "") -> "Service":
        """Write a service.

        Args:
            root: Where to.
            env: The name of a template of alembic's own (`generic`, `async`), or of a file in `envs`.
            history: The name of a directory in `histories`.
            more: What its alembic.ini says besides.
        """
        versions = root / "migrations" / "versions"
        shutil.copytree(HERE / "histories" / history, versions, ignore=shutil.ignore_patterns("__pycache__"))
        own = HERE / "envs" / f"{env}.py"
        template = own if own.exists() else TEMPLATES / env / "env.py"
        (root / "migrations" / "env.py").write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
        shutil.copy(TEMPLATES / "generic" / "script.py.mako", root / "migrations")
        (root / "alembic.ini").write_text(INI.format(more=more), encoding="utf-8")
        return cls(root)

    def add(self, revision: str, down: str | None, upgrade: str, downgrade: str = "pass", doc: str = "") -> None:
        """Add a revision, whose functions have these bodies."""

        def indented(body: str) -> str:
            return "".join(f"    {line}\n" for line in body.splitlines())

        text = (
            f'"""{doc or revision}"""\n\nimport sqlalchemy as sa\nfrom alembic import context, op\n\n'
            f"revision = {revision!r}\ndown_revision = {down!r}\nbranch_labels = None\ndepends_on = None\n\n\n"
            f"def upgrade() -> None:\n{indented(upgrade)}\n\ndef downgrade() -> None:\n{indented(downgrade)}"
        )
        (self.root / "migrations" / "versions" / f"{revision}.py").write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text in one of its files."""
        file = self.root / path
        text = file.read_text(encoding="utf-8")
        assert old in text
        file.write_text(text.replace(old, new), encoding="utf-8")
