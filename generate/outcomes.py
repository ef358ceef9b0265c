"""Makes the table of exit codes for README and docs."""

from watchbot.outcome import TABLE


def outcomes_table() -> str:
    """The table in Markdown."""
    rows = (
        f"| {row.end} | `{row.outcome.name}` | {row.outcome.fate.value} |"
        f" {'yes' if row.outcome.notify else 'no'} |\n"
        for row in TABLE
    )
    return "| exit | outcome | the message | notification |\n|---|---|---|---|\n" + "".join(rows)
