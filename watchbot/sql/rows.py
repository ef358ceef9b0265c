"""Many rows in one statement: given as JSON, read as a table."""

from collections.abc import Mapping

from watchbot.sql.database import Dialect


def as_table(dialect: Dialect, columns: Mapping[str, str]) -> str:
    """The value `:rows`, a JSON list of objects, as a table that is called b.

    `columns` are its columns, with their types in PostgreSQL.
    """
    if dialect == "postgres":
        typed = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        return f"json_to_recordset(:rows::json) AS b({typed})"
    picked = ", ".join(f"value ->> '{name}' AS {name}" for name in columns)
    return f"(SELECT {picked} FROM json_each(:rows)) AS b"
