"""Makes the table of exit codes for README and docs."""

from watchbot.outcome import TABLE, Row

STATES = "explanation/states.md"


def outcomes_table(docs: str) -> str:
    """The table in Markdown, with a link at each outcome; `docs` leads to the folder docs/."""
    rows = "".join(_row(row, f"{docs}/{STATES}") for row in TABLE)
    return f"| exit | outcome | the message | notification |\n|---|---|---|---|\n{rows}"


def _row(row: Row, states: str) -> str:
    outcome = row.outcome
    link = f"[`{outcome.name}`]({states}#{outcome.name})"
    return f"| {row.end} | {link} | {outcome.fate.value} | {'yes' if outcome.notify else 'no'} |\n"
