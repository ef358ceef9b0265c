"""The limits of what `watchbot record` keeps."""

import pytest

from watchbot.errors import UsageError
from watchbot.settings.base import load
from watchbot.settings.record import RecordSettings

GIVEN = {"queue_url": "http://in.memory/1/q", "database": "sqlite:///x.db"}


@pytest.mark.parametrize("option", ["retention", "retention_tasks"])
@pytest.mark.parametrize(
    ("days", "said"),
    [("0", "more than 0"), ("x", "must be a number, not 'x'"), ("1e9", "at most 36500")],
)
def test_days_that_do_not_fit_are_refused(option: str, days: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        load(RecordSettings, {**GIVEN, option: days})
