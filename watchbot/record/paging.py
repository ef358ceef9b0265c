"""The pages of a list, and the SQL that asks for one of them."""

from collections.abc import Sequence
from dataclasses import dataclass

from watchbot.sql.dialect import Row

PAGE = 100  # tasks on one page


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list: its `number`, from 0, and its `size` in rows.

    Lists of tasks also take the ARN or id of a task, `after` which the pages begin. A page that is
    named so costs as much as the first, and repeats no task when new ones have come; that of a high
    number reads all tasks before it.
    """

    number: int = 0
    size: int = PAGE
    after: str | None = None

    @property
    def window(self) -> dict[str, int]:
        """The values of `LIMIT :size OFFSET :skip`."""
        return {"size": self.size, "skip": self.number * self.size}

    def behind(self, ordered_by: str = "started_at") -> str:
        """SQL to append to a WHERE, so that a list, the latest first, begins behind `after`."""
        if self.after is None:
            return ""
        its = f"(SELECT {ordered_by} FROM ecs_task WHERE task_arn = :after)"
        return f" AND {ordered_by} <= {its} AND ({ordered_by} < {its} OR task_arn > :after)"

    def next_after(self, rows: Sequence[Row]) -> str | None:
        """The `after` of the next page, where these are the rows of this; None for the last."""
        return rows[-1]["task_arn"] if len(rows) == self.size else None


FIRST = Page()
