"""Other versions of a service's tables: the next, with a column more in each, and earlier ones."""

import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

ADDED = "next_version"


@contextmanager
def next_version(package: str, folder: Path, *, oldest: int | None) -> Iterator[str]:
    """Yields the name of a package like `package`, with one migration more.

    `oldest` is the oldest program that this migration says works with its tables.
    """
    name = f"next_{package.replace('.', '_')}"
    with as_file(files(package) / "schema") as schema:
        shutil.copytree(schema, folder / name / "schema")
    (folder / name / "__init__.py").touch()
    for dialect in (folder / name / "schema").iterdir():
        _add_migration(dialect, oldest)
    with _importable(name, folder):
        yield name


@contextmanager
def earlier_version(package: str, folder: Path, *, newest: int) -> Iterator[str]:
    """Yields the name of a package like `package`, without the migrations after `newest`."""
    name = f"earlier_{package.replace('.', '_')}"
    with as_file(files(package) / "schema") as schema:
        shutil.copytree(schema, folder / name / "schema")
    (folder / name / "__init__.py").touch()
    for script in (folder / name / "schema").glob("*/*.sql"):
        if int(script.name[:4]) > newest:
            script.unlink()
    with _importable(name, folder):
        yield name


def newest(package: str) -> int:
    """The number of the last migration of a package."""
    names = [file.name for file in (files(package) / "schema/sqlite").iterdir()]
    return max(int(name[:4]) for name in names if name.endswith(".sql"))


@contextmanager
def _importable(name: str, folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop(name, None)


def _add_migration(dialect: Path, oldest: int | None) -> None:
    scripts = sorted(dialect.glob("*.sql"))
    tables = re.findall(r"^CREATE TABLE (\w+)", "".join(s.read_text() for s in scripts), re.M)
    number = int(scripts[-1].name[:4]) + 1
    says = f"-- oldest program: {oldest}\n" if oldest else ""
    columns = "".join(f"ALTER TABLE {table} ADD COLUMN {ADDED} text;\n" for table in tables)
    more = f"CREATE TABLE {tables[0]}_{ADDED} (id text PRIMARY KEY);\n"
    (dialect / f"{number:04}_next.sql").write_text(says + columns + more)
