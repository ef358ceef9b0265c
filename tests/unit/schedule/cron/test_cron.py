"""When schedules fire: against other engines, against tables, and against anything at all."""

import contextlib
import itertools
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from cronsim import CronSim
from hypothesis import assume, given
from hypothesis import strategies as st

from watchbot.errors import BadSchedule
from watchbot.schedule.cron.aps8 import resolve
from watchbot.schedule.cron.dialects import Clock, Dialect, dialect_of, parse
from watchbot.schedule.cron.timetable import Dst

NEW_YORK, BERLIN, LORD_HOWE = "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"
SAO_PAULO = "America/Sao_Paulo"


def fires(
    text: str, dialect: Dialect, start: str, *, timezone: str = "UTC", dst: Dst = "debian"
) -> Iterator[datetime]:
    """From the wall time `start` on, the moment itself included."""
    timetable = parse(text, dialect, Clock(timezone=timezone, dst=dst))
    moment: datetime | None = at(start, timezone) - timedelta(seconds=1)
    while moment and (moment := timetable.next(moment)):
        yield moment


def at(wall: str, timezone: str = "UTC") -> datetime:
    return datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(timezone)).astimezone(UTC)


def of_days(text: str, timezone: str, start: str, days: int, dst: Dst = "debian") -> list[str]:
    """The fires on these days, in UTC."""
    end = at((datetime.fromisoformat(start) + timedelta(days=days)).isoformat(), timezone)
    found = fires(text, "cron", start, timezone=timezone, dst=dst)
    return [moment.strftime("%H:%M") for moment in itertools.takewhile(lambda m: m < end, found)]


def first(text: str, dialect: Dialect, count: int, start: str = "2026-01-01") -> list[str]:
    """The first fires, in UTC."""
    found = itertools.islice(fires(text, dialect, start), count)
    return [moment.strftime("%Y-%m-%d %H:%M:%S").removesuffix(" 00:00:00") for moment in found]


@pytest.mark.parametrize(
    ("text", "zone", "day", "days", "expected"),
    [
        ("30 2 * * *", NEW_YORK, "2026-03-08", 1, "07:00"),
        ("*/30 1-2 * * *", NEW_YORK, "2026-03-08", 1, "06:00 06:30"),
        ("15,45 1,2,3 * * *", NEW_YORK, "2026-03-08", 1, "06:15 06:45 07:00 07:15 07:45"),
        ("0 0 * * *", NEW_YORK, "2026-03-08", 2, "05:00 04:00"),
        ("0 */8 * * *", NEW_YORK, "2026-03-08", 1, "05:00 12:00 20:00"),
        ("30 1 * * *", NEW_YORK, "2026-11-01", 1, "05:30"),
        ("59 1 * * *", NEW_YORK, "2026-11-01", 1, "05:59"),
        ("15,45 1,2 * * *", NEW_YORK, "2026-11-01", 1, "05:15 05:45 07:15 07:45"),
        ("*/30 1 * * *", NEW_YORK, "2026-11-01", 1, "05:00 05:30 06:00 06:30"),
        ("*/30 1 1 11 *", NEW_YORK, "2026-11-01", 1, "05:00 05:30 06:00 06:30"),
        ("0 0 * * *", SAO_PAULO, "2018-11-04", 1, "03:00"),
        ("0 2 * * *", LORD_HOWE, "2026-04-05", 1, "15:30"),
        ("30 1 * * *", LORD_HOWE, "2026-04-05", 1, "14:30"),
        ("0 2 * * *", LORD_HOWE, "2026-10-04", 1, "15:30"),
        ("*/30 2 * * *", LORD_HOWE, "2018-04-01", 1, "15:30 16:00"),
        ("30 2 * * *", BERLIN, "2026-03-29", 1, "01:00"),
        ("30 2 * * *", BERLIN, "2026-10-25", 1, "00:30"),
        # A whole day is left out: at once when the next one begins, and then at its own time.
        ("0 12 * * *", "Pacific/Apia", "2011-12-29", 3, "22:00 10:00 22:00"),
        ("0 7 * * *", "Pacific/Apia", "2011-12-29", 3, "17:00 10:00 17:00"),
        ("0 7,9 30 * *", "Pacific/Apia", "2011-12-29", 3, "10:00"),
        ("30 7 * * *", "Pacific/Kwajalein", "1993-08-20", 3, "19:30 12:00 19:30"),
    ],
)
def test_clocks_are_turned(text: str, zone: str, day: str, days: int, expected: str) -> None:
    assert of_days(text, zone, day, days) == expected.split()


def test_every_quarter_of_an_hour_is_every_real_one() -> None:
    found = list(
        itertools.islice(fires("*/15 * * * *", "cron", "2026-10-24", timezone=BERLIN), 400)
    )

    assert {later - earlier for earlier, later in itertools.pairwise(found)} == {
        timedelta(minutes=15)
    }


def test_a_time_that_is_left_out_may_be_skipped() -> None:
    assert of_days("30 2 * * *", NEW_YORK, "2026-03-08", 1, "skip") == []
    assert of_days("30 2 * * *", NEW_YORK, "2026-03-09", 1, "skip") == ["06:30"]
    assert of_days("30 1 * * *", NEW_YORK, "2026-11-01", 1, "skip") == ["05:30"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 13 * 5", ["2026-01-02", "2026-01-09", "2026-01-13"]),  # the 13th, or a Friday
        ("0 0 */10 * 1", ["2026-01-01", "2026-01-05", "2026-01-11"]),  # a step names days, too
        ("0 0 L * *", ["2026-01-31", "2026-02-28", "2026-03-31"]),
        ("0 0 L-2 * ?", ["2026-01-29", "2026-02-26", "2026-03-29"]),
        ("0 0 LW * *", ["2026-01-30", "2026-02-27", "2026-03-31"]),
        ("0 0 15W * *", ["2026-01-15", "2026-02-16", "2026-03-16"]),
        ("0 0 1W * *", ["2026-01-01", "2026-02-02", "2026-03-02"]),
        ("0 0 ? * 5L", ["2026-01-30", "2026-02-27", "2026-03-27"]),
        ("0 0 * * MON#1", ["2026-01-05", "2026-02-02", "2026-03-02"]),
        ("0 0 * * 1#5", ["2026-03-30", "2026-06-29", "2026-08-31"]),
        ("0 0 * * 7", ["2026-01-04", "2026-01-11", "2026-01-18"]),
        ("0 0 * * sat,SUN", ["2026-01-03", "2026-01-04", "2026-01-10"]),
        ("0 0 * * 5-7", ["2026-01-02", "2026-01-03", "2026-01-04"]),
        ("0 0 29 feb *", ["2028-02-29", "2032-02-29", "2036-02-29"]),
        ("*/20 59 23 31 12 *", [f"2026-12-31 23:59:{second}" for second in ("00", "20", "40")]),
        ("40/10 * * * *", [f"2026-01-01 00:{minute}:00" for minute in (40, 50)]),
        ("0 0 * * fri-sun", ["2026-01-02", "2026-01-03", "2026-01-04", "2026-01-09"]),
        ("@weekly", ["2026-01-04", "2026-01-11"]),
        ("@hourly", ["2026-01-01", "2026-01-01 01:00:00"]),
    ],
)
def test_cron(text: str, expected: list[str]) -> None:
    assert first(text, "cron", len(expected)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 0 0", ["2026-01-01", "2026-01-02"]),  # what is left out takes everything
        ("*/30", ["2026-01-01", "2026-01-01 00:00:30", "2026-01-01 00:01:00"]),
        ("0 0 0 0", ["2026-01-05", "2026-01-12"]),  # 0 is Monday
        ("0 0 0 fri * 13", ["2026-02-13", "2026-03-13", "2026-11-13"]),  # all fields must match
        ("0 0 0 * * 2nd_wed", ["2026-01-14", "2026-02-11"]),
        ("0 0 0 * * last_fri,last", ["2026-01-30", "2026-01-31", "2026-02-27"]),
        ("0 0 0 * 53", ["2026-12-28", "2026-12-29"]),
        ("0 0 0 * * 29 2 *", ["2028-02-29", "2032-02-29"]),
        ("0 0 0 mon * 29 2", ["2044-02-29"]),
        ("0 0 0 * * 1 1 2030-2040/5", ["2030-01-01", "2035-01-01", "2040-01-01"]),
        ("0 0 0 * * * * * extra", ["2026-01-01"]),
    ],
)
def test_aps8(text: str, expected: list[str]) -> None:
    assert first(text, "aps8", len(expected)) == expected


def test_aps8_is_turned_like_cron() -> None:
    found = fires("0 30 2", "aps8", "2026-03-08", timezone=NEW_YORK)

    assert next(found) == at("2026-03-08T07:00")


def test_chance_is_decided_once() -> None:
    resolved = resolve("? ? ? * ?").split()

    assert all(word.isdigit() for word in resolved[:3])
    assert resolved[3:] == ["*", "?"]  # there it is refused
    with pytest.raises(BadSchedule, match="week"):
        parse("0 0 0 * ?", "aps8")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cron(0 10 * * ? *)", ["2026-01-01 10:00:00", "2026-01-02 10:00:00"]),
        ("cron(0 0 ? * 2 *)", ["2026-01-05", "2026-01-12"]),  # 1 is Sunday
        ("cron(0 0 ? * 6L 2027)", ["2027-01-29", "2027-02-26"]),
        ("cron(0 0 ? * L *)", ["2026-01-03", "2026-01-10"]),
        ("cron(0 0 ? * 3#2 *)", ["2026-01-13", "2026-02-10"]),
        ("cron(0 0 1W * ? *)", ["2026-01-01", "2026-02-02"]),
        ("rate(90 minutes)", ["2026-01-01", "2026-01-01 01:30:00"]),
        ("rate(1 day)", ["2026-01-01", "2026-01-02"]),
        ("at(2026-12-24T18:00:00)", ["2026-12-24 18:00:00"]),
        (
            "cron(0/30 20-2 ? * MON-FRI *)",
            [f"2026-01-01{time}" for time in ("", " 00:30:00", " 01:00:00")],
        ),
        ("cron(0 0 ? * FRI-MON *)", [f"2026-01-0{day}" for day in (2, 3, 4, 5, 9)][:4]),
        ("cron(50/5 3 ? * * *)", ["2026-01-01 03:50:00", "2026-01-01 03:55:00"]),
        ("cron(55-5/5 3 ? * * *)", [f"2026-01-01 03:{m}:00" for m in ("00", "05", "55")]),
    ],
)
def test_eventbridge(text: str, expected: list[str]) -> None:
    assert dialect_of(text) == "eventbridge"
    assert first(text, "eventbridge", len(expected)) == expected


def test_at_happens_once_and_in_its_zone() -> None:
    timetable = parse("at(2026-07-01T09:00:00)", clock=Clock(timezone=NEW_YORK))

    assert timetable.next(at("2026-01-01")) == at("2026-07-01T13:00")
    assert timetable.next(at("2026-07-01T13:00")) is None


def test_rate_counts_from_its_anchor() -> None:
    timetable = parse("rate(1 hour)", clock=Clock(anchor=at("2026-01-01T00:20")))

    assert timetable.next(at("2025-06-01")) == at("2026-01-01T00:20")
    assert timetable.next(at("2026-01-01T00:20")) == at("2026-01-01T01:20")


@pytest.mark.parametrize(
    ("text", "dialect", "said"),
    [
        ("", "cron", "empty"),
        ("  ", "aps8", "empty"),
        ("0 0 * *", "cron", "this has 4"),
        ("0 0 * * * * *", "cron", "this has 7"),
        ("*/0 * * * *", "cron", "minute '\\*/0': a step of 0"),
        ("*/90 * * * *", "cron", "longer than the field"),
        ("0 0 31 2 *", "cron", "never fire"),
        ("0 0 30 feb ?", "cron", "never fire"),
        ("0 24 * * *", "cron", "hour '24': must be from 0 to 23"),
        ("0 0 * * 8", "cron", "weekday '8'"),
        ("0 0 * * MON#6", "cron", "weekday 'MON#6'"),
        ("10-5 * * * *", "cron", "goes upwards"),
        ("? * * * *", "cron", "minute"),
        ("٣ * * * *", "cron", "minute"),
        ("1,,2 * * * *", "cron", "minute ''"),
        ("0 0 L-31 * *", "cron", "L-27"),
        ("@reboot", "cron", "@daily"),
        ("0 0 0 7", "aps8", "day_of_week '7'"),
        ("0 0 0 mon_tue", "aps8", "day_of_week 'mon_tue'"),
        ("0 0 0 * * 6th_wed", "aps8", "day '6th_wed'"),
        ("0 0 0 mon * 31 2", "aps8", "never fire"),
        ("0 0 0 * 53 * 6", "aps8", "never fire"),
        ("0 0 0 * * * * 1969", "aps8", "year"),
        ("cron(0 0 * * * *)", "eventbridge", "must be ?"),
        ("cron(0 0 1 * ?)", "eventbridge", "this has 5"),
        ("rate(0 minutes)", "eventbridge", "whole number"),
        ("rate(5 seconds)", "eventbridge", "minutes, hours or days"),
        ("rate(999999999 days)", "eventbridge", "50 years"),
        ("at(tomorrow)", "eventbridge", "at\\(2026"),
        ("at(2026-12-24T18:00:00Z)", "eventbridge", "at\\(2026"),
        ("at(2026-12-24)", "eventbridge", "at\\(2026"),
        ("at(2026-W46-7T00:00:00)", "eventbridge", "at\\(2026"),
        ("at(20261224T180000)", "eventbridge", "at\\(2026"),
        ("rate(1 minutes)", "eventbridge", "rate\\(1 minute\\)"),
        ("rate(5 minute)", "eventbridge", "rate\\(5 minutes\\)"),
        ("cron(0 9 ? * MON#1,TUE#2 *)", "eventbridge", "must stand alone"),
        ("cron(0 9 ? * * *)", "cron", '"dialect": "eventbridge"'),
        ("0 0 9 7", "aps8", "0 is Monday"),
        ("0 9 * * sat-mon", "cron", "goes upwards"),
        ("often", "eventbridge", "cron\\(...\\)"),
        ("1," * 600, "cron", "1000 characters"),
    ],
)
def test_refused(text: str, dialect: Dialect, said: str) -> None:
    with pytest.raises(BadSchedule, match=said):
        parse(text, dialect)


def test_who_left_out_the_dialect_is_told_of_it() -> None:
    with pytest.raises(
        BadSchedule, match='read as aps8, and would be valid with "dialect": "cron"'
    ):
        parse("0 9 * * mon-fri")


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../etc/passwd", "Europe", "a\0b", "x" * 500])
def test_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(BadSchedule, match="no time zone"):
        parse("@daily", clock=Clock(timezone=zone))


def item(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    # Not "5-5": croniter takes that for everything.
    ranges = st.integers(low, high - 1).flatmap(
        lambda first: st.integers(first + 1, high).map(lambda last: f"{first}-{last}")
    )
    return st.lists(numbers.map(str) | ranges, min_size=1, max_size=3).map(",".join)


def field(low: int, high: int) -> st.SearchStrategy[str]:
    steps = st.integers(2, (high - low) // 2).map(lambda step: f"*/{step}")
    return st.just("*") | steps | item(low, high)


times = st.tuples(field(0, 59), field(0, 23)).map(" ".join)
# Here the others agree: one of the day fields is a star, or neither begins with one.
days = st.one_of(
    st.tuples(st.just("*"), field(1, 12), item(0, 6)),
    st.tuples(item(1, 31), field(1, 12), st.just("*")),
    st.tuples(item(1, 30), field(1, 12), item(1, 6)),  # and none names every day
).map(" ".join)
crontabs = st.tuples(times, days).map(" ".join)
moments = st.datetimes(datetime(2018, 1, 1), datetime(2030, 1, 1)).map(
    lambda moment: moment.replace(microsecond=0)
)
# Not Lord Howe, whose clocks are turned by half an hour: cronsim goes in whole ones, and misses.
zones = st.sampled_from([NEW_YORK, BERLIN, SAO_PAULO, "Africa/Casablanca", "Asia/Tehran", "UTC"])


def ours(text: str, moment: datetime, zone: str, count: int) -> list[datetime]:
    found = fires(text, "cron", (moment + timedelta(seconds=1)).isoformat(), timezone=zone)
    return list(itertools.islice(found, count))


@given(crontabs, moments, zones)
def test_agrees_with_cronsim(text: str, moment: datetime, zone: str) -> None:
    # It counts from a time that the clocks show once: else it knows not which one is meant.
    assume(
        len({moment.replace(tzinfo=ZoneInfo(zone), fold=fold).utcoffset() for fold in (0, 1)}) == 1
    )
    try:
        mine = ours(text, moment, zone, 8)
    except BadSchedule:
        assume(False)  # 31 February: theirs refuses it, too, or ends
    theirs = list(itertools.islice(CronSim(text, moment.replace(tzinfo=ZoneInfo(zone))), 6))

    # Where a time is left out, it may give the same moment several times.
    expected = list(dict.fromkeys(found.astimezone(UTC) for found in theirs))
    assert mine[: len(expected)] == expected


day_specials = st.sampled_from(
    ["L * *", "* * 1#2", "* * MON#1", "* 2 L5", "*/2 * 1", "* jan-mar *", "1-7 * fri", "? * 7"]
)


@given(times, day_specials, moments)
def test_agrees_with_croniter_where_no_clock_is_turned(
    time_fields: str, day_fields: str, moment: datetime
) -> None:
    text = f"{time_fields} {day_fields}"
    theirs = croniter(text, moment.replace(tzinfo=UTC), ret_type=datetime)

    mine = ours(text.replace("L5", "5L"), moment, "UTC", 5)

    assert mine == [theirs.get_next() for _ in range(5)]


@given(
    st.lists(
        st.text("*?/-,#LW0123456789 @()", max_size=6) | st.sampled_from("mon last 2nd_wed".split()),
        max_size=8,
    ).map(" ".join),
    st.sampled_from(["aps8", "cron", "eventbridge"]),
)
def test_any_text_is_read_or_refused_at_once(text: str, dialect: Dialect) -> None:
    began = time.process_time()
    with contextlib.suppress(BadSchedule):
        parse(text, dialect).next(datetime(2026, 1, 1, tzinfo=UTC))
    assert time.process_time() - began < 1  # it hangs, or it does not: 50 years are 5 ms


def test_never_twice_at_one_moment_nor_backwards() -> None:
    for text in ("*/20 1-3 * * *", "1,2,3 1,2,3 * * *", "0 2 * * *", "*/7 * * * * *"):
        found = fires(text, "cron", "2026-03-28", timezone=BERLIN)
        pairs = itertools.pairwise(itertools.islice(found, 500))
        assert all(earlier < later for earlier, later in pairs)
