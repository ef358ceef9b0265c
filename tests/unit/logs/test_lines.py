import json
import logging

import pytest

from watchbot.logs.line import date
from watchbot.logs.setup import JsonFormatter, TextFormatter


def a_record(phrase: str, level: int = logging.INFO, **facts: object) -> logging.LogRecord:
    record = logging.makeLogRecord({"msg": phrase, "levelno": level})
    vars(record).update(facts)
    return record


def test_date_is_as_in_ecs_watchbot() -> None:
    assert date(1_469_664_757.9) == "Thu, 28 Jul 2016 00:12:37 GMT"


def test_text_line_has_prefix_phrase_and_facts() -> None:
    line = TextFormatter().format(a_record("completed", message_id="m1", duration_s=0.5, code=None))

    assert line.endswith("GMT] [watcher] [m1] completed duration_s=0.500")


def test_failure_is_marked_for_the_metric_filters() -> None:
    record = a_record("failed", logging.ERROR, message_id="m1", worker_event="failure")

    assert "[m1] [failure] failed" in TextFormatter().format(record)
    line = json.loads(JsonFormatter().format(record))
    assert (line["worker_event"], line["level"], line["msg"]) == ("failure", 50, "failed")
    assert line["watchbot_sqs_message_id"] == "m1"
    assert line["v"] == 0


def test_result_is_json_in_a_text_line_and_fields_in_a_structured_one() -> None:
    result, figures = {"code": 1, "signal": None}, {"receives": 2}
    record = a_record("failed", ending="exit code 1", result=result, figures=figures)

    text = TextFormatter().format(record)
    assert text.endswith('failed ending="exit code 1" {"code":1,"signal":null} receives 2')
    line = json.loads(JsonFormatter("watcher").format(record))
    assert (line["code"], line["signal"], line["receives"]) == (1, None, 2)
    assert line["name"] == "watcher"


@pytest.mark.parametrize("formatter", [TextFormatter(), JsonFormatter()])
def test_no_fact_can_begin_a_line_of_its_own(formatter: logging.Formatter) -> None:
    line = formatter.format(a_record("received", body="x\n[now] [watcher] forged\r\x1b[2K"))

    assert line.isprintable()
    assert "\\n[now]" in line
