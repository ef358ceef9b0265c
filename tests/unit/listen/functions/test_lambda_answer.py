"""Answers of functions: which messages failed, by Lambda's rules for batches of SQS."""

import json

import pytest

import watchbot
from watchbot.listen.functions.answer import (
    NAMED_FAILED,
    Failure,
    UnreadableAnswer,
    failures,
    fault,
)
from watchbot.listen.report import MAX_REASON
from watchbot.outcome import FAILED, REJECTED, RETURNED

IDS = ("a", "b", "c")


def answered(*items: object) -> dict[str, Failure]:
    return failures(json.dumps({"batchItemFailures": items}).encode(), IDS)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b" \n",
        b"null",
        b"{}",
        b'{"batchItemFailures": []}',
        b'{"batchItemFailures": null}',
        b'"ok"',
        b"17",
        b"[1, 2]",
        b'{"statusCode": 200}',
    ],
)
def test_an_answer_that_names_no_failure_completes_all(answer: bytes) -> None:
    assert failures(answer, IDS) == {}


def test_a_message_that_is_named_has_failed() -> None:
    assert answered({"itemIdentifier": "b"}) == {"b": Failure(reason=NAMED_FAILED)}


def test_an_item_may_say_more_than_lambda_asks_for() -> None:
    found = answered(
        {"itemIdentifier": "a", "exit": 3, "reason": "no\n such  tile"},
        {"itemIdentifier": "c", "exit": 4, "retryAfter": 600},
    )

    assert found == {
        "a": Failure(exit=3, reason="no such tile"),
        "c": Failure(exit=4, retry_after=600),
    }


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"ok", "its answer is no JSON"),
        (b"\xff\xfe\x00", "its answer is no JSON"),
        (b"[" * 100_000, "its answer is no JSON"),
        (b'{"batchItemFailures": {"itemIdentifier": "a"}}', "is no list"),
        (b'{"batchItemFailures": "a"}', "is no list"),
        (b'{"batchItemFailures": ["a"]}', "has no itemIdentifier"),
        (b'{"batchItemFailures": [{"itemIdentifier": ""}]}', "has no itemIdentifier"),
        (b'{"batchItemFailures": [{"itemIdentifier": null}]}', "has no itemIdentifier"),
        (b'{"batchItemFailures": [{"ItemIdentifier": "a"}]}', "has no itemIdentifier"),
        (b'{"batchItemFailures": [{"itemIdentifier": "z"}]}', "names 'z', not in its batch"),
        (b'{"batchItemFailures": [{"itemIdentifier": "a", "exit": 256}]}', "from 0 to 255"),
        (b'{"batchItemFailures": [{"itemIdentifier": "a", "exit": true}]}', "from 0 to 255"),
        (b'{"batchItemFailures": [{"itemIdentifier": "a", "retryAfter": "1"}]}', "of seconds"),
        (b'{"batchItemFailures": [{"itemIdentifier": "a", "retryAfter": NaN}]}', "of seconds"),
        (b'{"batchItemFailures": [{"itemIdentifier": "a", "retryAfter": -1}]}', "of seconds"),
    ],
)
def test_an_answer_that_nobody_can_read_says_why(answer: bytes, words: str) -> None:
    with pytest.raises(UnreadableAnswer, match=words):
        failures(answer, IDS)


def test_an_error_is_its_type_and_its_message_with_the_stack_in_its_tail() -> None:
    body = {"errorType": "KeyError", "errorMessage": "'id'\nof x", "stackTrace": ["  a\n  b\n", 7]}

    found = fault(json.dumps(body).encode(), None)

    assert str(found) == "KeyError: 'id' of x"
    assert found.tail == "KeyError: 'id'\nof x\n  a\n  b\n"
    assert found.outcome is FAILED


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("WatchbotReject", REJECTED),
        ("WatchbotReturn", RETURNED),
        ("my.WatchbotReject", FAILED),
        ("watchbotreject", FAILED),
    ],
)
def test_two_types_ask_for_more_than_another_try(kind: str, outcome: object) -> None:
    assert fault(json.dumps({"errorType": kind}).encode(), None).outcome is outcome


@pytest.mark.parametrize(
    ("kind", "message", "seconds"),
    [
        ("WatchbotReturn", "retryAfter=600: no licence", 600),
        ("WatchbotReturn", "retryAfter=0.5", 0.5),
        ("WatchbotReturn", "no licence", None),
        ("WatchbotReturn", "no licence: retryAfter=600", None),
        ("WatchbotReturn", "retryAfter=-1: x", None),
        ("WatchbotReturn", "retryAfter=inf", None),
        ("WatchbotReturn", "retryAfter=600s", None),
        ("WatchbotReject", "retryAfter=600", None),
        ("KeyError", "retryAfter=600", None),
    ],
)
def test_a_return_may_say_when(kind: str, message: str, seconds: float | None) -> None:
    body = json.dumps({"errorType": kind, "errorMessage": message}).encode()

    assert fault(body, None).retry_after == seconds


def test_a_return_of_ours_reads_as_its_wish() -> None:
    for error, message in (
        (watchbot.Return("no licence", after=600), "retryAfter=600: no licence"),
        (watchbot.Return(after=0.5), "retryAfter=0.5"),
        (watchbot.Return(after=-1), "retryAfter=0"),
        (watchbot.Return("no licence"), "no licence"),
        (watchbot.Return(), ""),
    ):
        assert str(error) == message


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"errorType": 5}'])
def test_an_error_that_says_nothing_has_the_type_of_its_header(body: bytes) -> None:
    assert str(fault(body, "Runtime.Oops")) == "Runtime.Oops"
    assert str(fault(body, None)) == "an error without a type"


def test_words_of_any_length_are_cut_to_a_line() -> None:
    body = json.dumps({"errorType": "E", "errorMessage": "x " * 100_000}).encode()

    assert len(str(fault(body, None))) == MAX_REASON
