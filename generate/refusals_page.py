"""docs/reference/refusals.md, from the table of refusals."""

from watchbot.schedule.start.refusals import RefusalKind, table

_START = """\
# What becomes of a run that AWS refuses

`watchbot schedule` makes a call again where the refusal may pass: after a pause that grows up to a
minute, until the job's `retry` has had its `attempts` or its `maxAge`. Every other refusal ends
the run as `failed` at once. ECS says much of it in the text alone, so rows are known by code
**and** text; the first that fits is taken. What ECS lists under `failures` of a RunTask that it
answered (`RESOURCE:MEMORY`, `RESOURCE:CPU`, `RESOURCE:ENI`, `AGENT` and others) is asked for
again in any case, for the missing tasks alone: machines come, and tasks end.

This page is made by `make docs`.

| refusal, as AWS writes it | what becomes of the run | why |
|---|---|---|
"""


def refusals_page() -> str:
    """The page."""
    return _START + "".join(_row(row) for row in table())


def _row(row: RefusalKind) -> str:
    becomes = "tried again" if row.passes else "`failed`"
    return f"| `{row.sample}` | {becomes} | {row.why} |\n"
