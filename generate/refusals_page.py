"""Makes docs/reference/refusals.md from the table of refusals."""

from watchbot.schedule.start.refusals import RefusalKind, table

_START = """\
# What becomes of a run that AWS refuses

`watchbot schedule` retries a call if the refusal may pass. The pause between two tries grows up to
a minute, and the tries end with the `attempts` or the `maxAge` of the job's `retry`. Every other
refusal ends the run as `failed` at once. ECS tells many causes only in the text, so a row matches
code **and** text, and the first matching row counts. If RunTask answers with `failures`
(`RESOURCE:MEMORY`, `RESOURCE:CPU`, `RESOURCE:ENI`, `AGENT` and others), watchbot always retries for
the missing tasks, because machines come and tasks end.

This page is made by `make docs`.

| refusal, as AWS writes it | what becomes of the run | why |
|---|---|---|
"""


def refusals_page() -> str:
    """The text of the page."""
    return _START + "".join(_row(row) for row in table())


def _row(row: RefusalKind) -> str:
    becomes = "tried again" if row.passes else "`failed`"
    return f"| `{row.sample}` | {becomes} | {row.why} |\n"
