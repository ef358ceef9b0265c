"""The tables of policy: outcomes, backoff, retries."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchbot.aws import RETRY_CAP_S, retry_pause
from watchbot.listen.backoff import retry_delay
from watchbot.outcome import (
    COMPLETED,
    FAILED,
    REJECTED,
    RELEASED,
    RETURNED,
    TIMED_OUT,
    ExitCodes,
    Outcome,
    parse_codes,
)


@pytest.mark.parametrize(
    ("exit_code", "outcome"),
    [(0, COMPLETED), (3, REJECTED), (4, RETURNED), (1, FAILED), (2, FAILED), (None, FAILED)],
)
def test_exit_code_gives_the_outcome(exit_code: int | None, outcome: Outcome) -> None:
    assert ExitCodes().outcome(exit_code) is outcome


def test_other_codes_may_reject_and_return() -> None:
    codes = ExitCodes(rejecting=parse_codes("3,64-66"), returning=parse_codes(" 75 "))

    said = {code: codes.outcome(code).name for code in (0, 3, 4, 63, 64, 66, 67, 75)}

    assert said == {
        0: "completed",
        3: "rejected",
        4: "failed",
        63: "failed",
        64: "rejected",
        66: "rejected",
        67: "failed",
        75: "returned",
    }


def test_no_code_may_reject() -> None:
    assert parse_codes("") == frozenset()


@pytest.mark.parametrize("text", ["0", "0-3", "256", "5-4", "x", "3;4", "-3", "3-", "1-999"])
def test_what_is_no_list_of_codes_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"0, which completes|such as 3,64-78"):
        parse_codes(text)


@pytest.mark.parametrize(
    ("outcome", "failed", "removes"),
    [
        (COMPLETED, False, True),
        (REJECTED, False, True),
        (RETURNED, False, False),
        (RELEASED, False, False),
        (FAILED, True, False),
        (TIMED_OUT, True, False),
        (FAILED.buried, True, True),
        (TIMED_OUT.buried, True, True),
    ],
)
def test_failures_alone_count_and_alone_can_be_given_up(
    outcome: Outcome, failed: bool, removes: bool
) -> None:
    assert (outcome.failed, outcome.removes) == (failed, removes)


@pytest.mark.parametrize(
    ("receives", "max_s", "left_s", "delay"),
    [
        (1, 43_200, 43_000, 2),
        (10, 43_200, 43_000, 1024),
        (15, 43_200, 43_000, 32_768),
        (16, 43_200, 43_195.9, 43_195),
        (1_000_000, 43_200, 43_000, 43_000),
        (10, 60, 43_000, 60),
        (3, 43_200, 5.9, 5),
        (3, 0, 43_000, 0),
    ],
)
def test_returned_message_waits_twice_as_long_each_time(
    receives: int, max_s: int, left_s: float, delay: int
) -> None:
    assert retry_delay(receives, max_s, left_s) == delay


@given(failures=st.integers(min_value=0, max_value=10_000))
def test_pause_between_tries_is_bounded(failures: int) -> None:
    assert 0 <= retry_pause(failures) <= RETRY_CAP_S
