"""Tests schedules in words."""

import pytest

from watchbot.schedule.cron.dialects import Clock, Dialect, parse
from watchbot.schedule.cron.words import in_words


@pytest.mark.parametrize(
    ("text", "dialect", "words"),
    [
        ("0 7 * * *", "cron", "every day at 07:00"),
        ("0 7 * * *", "aps8", "every hour at :07"),
        ("*/5 * * * *", "cron", "every 5 minutes"),
        ("*/5 * * * *", "aps8", "every 5 seconds"),
        ("* * * * *", "cron", "every minute"),
        ("@hourly", "cron", "every hour at :00"),
        ("30 */6 * * *", "cron", "every day at 00:30, 06:30, 12:30 and 18:30"),
        ("30 5 10 * * *", "cron", "every day at 10:05:30"),
        ("*/7 * * * *", "cron", "every hour at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56"),
        ("15,45 */2 * * *", "cron", "at minutes 15 and 45 of every 2nd hour from 00:00 on"),
        ("*/5 1,5 * * *", "cron", "every 5 minutes of hours 1 and 5"),
        ("* 9 * * *", "cron", "every minute, from 09:00 to 09:59"),
        ("0 9 * * 1-5", "cron", "every Monday to Friday at 09:00"),
        ("0 9 * * 1-5", "aps8", "every hour at :09, every day in weeks 1 to 5 of the year,"),
        ("0 0 * * fri-sun", "cron", "every Friday to Sunday at 00:00"),
        ("0 0 13 * 5", "cron", "on the 13th of the month or every Friday at 00:00"),
        ("0 0 0 4 * 13", "aps8", "on the 13th of the month, if that is Friday at 00:00"),
        ("0 0 1,15 * *", "cron", "on the 1st and the 15th of the month at 00:00"),
        ("0 0 L jan,mar *", "cron", "on the last day of the month in January and March at 00:00"),
        ("0 0 * * MON#1", "cron", "on the first Monday of the month at 00:00"),
        ("0 0 2 * * last_fri", "aps8", "on the last Friday of the month at 02:00"),
        ("cron(0 12 * * ? 2027)", "eventbridge", "every day in 2027 at 12:00"),
        (
            "cron(0/30 20-2 ? * MON-FRI *)",
            "eventbridge",
            "every 30 minutes, from 20:00 to 02:59, every Monday to Friday,",
        ),
        ("at(2026-12-24T18:00:00)", "eventbridge", "once, on 2026-12-24 at 18:00"),
    ],
)
def test_schedule_in_words(text: str, dialect: Dialect, words: str) -> None:
    clock = Clock(timezone="Europe/Berlin")

    assert in_words(parse(text, dialect, clock), clock.timezone) == f"{words} Europe/Berlin"


def test_rate_in_words() -> None:
    assert in_words(parse("rate(36 hours)"), "UTC").startswith("every 36 hours, counted from ")
    assert in_words(parse("rate(1 day)"), "UTC").startswith("every day, counted from ")
