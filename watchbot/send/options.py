"""The plan of `watchbot send`, checked before anything is sent."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

from watchbot.errors import SettingError
from watchbot.send.when import When, check_kept, planned_time
from watchbot.settings.base import describe
from watchbot.settings.send import SendSettings
from watchbot.settings.whereabouts import is_fifo
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import MAX_ATTRIBUTES, MESSAGE_BYTES, Outgoing, attribute_flaw

STORED_BYTES = 5_368_709_120  # the largest object that one call of S3 takes
SUBJECT_CHARACTERS = 99  # SNS takes fewer than 100

_CONTROLS = {"Cc", "Cs", "Zl", "Zp"}  # control characters, lone surrogates, line breaks
_ID = re.compile(r"[!-~]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """The messages to send, and their target: a topic's ARN or a queue's URL.

    Either `body` or `file` is set. No body may have more than `most_bytes`.
    """

    target: str
    common: Outgoing  # the fields that all messages share; its body is empty
    body: str | None
    file: str | None
    when: When
    most_bytes: int = MESSAGE_BYTES

    def message(self, body: str) -> Outgoing:
        """The message with this body, to send now.

        For FIFO, uses the given deduplication id, else a new one: two equal lines stay two
        messages, and a message sent twice because no answer came stays one.
        """
        made_up = str(uuid4()) if is_fifo(self.target) else None
        return replace(
            self.common,
            body=body,
            dedup_id=self.common.dedup_id or made_up,
            delay_s=self.when.delay_s(datetime.now(UTC)),
        )


def planned(settings: SendSettings) -> Shipment:
    """The plan for these settings.

    Raises `SettingError` for missing, contradictory and refused values.
    """
    target = _target(settings)
    _check_source(settings)
    _check_ids(settings)
    _check_fifo(settings, is_fifo(target))
    when = planned_time(settings, target, datetime.now(UTC))
    common = Outgoing(
        body="",
        subject=_subject(settings.subject),
        attributes=_attributes(settings.attribute),
        group_id=settings.group_id,
        dedup_id=settings.dedup_id,
    )
    if when.scheduler:
        check_kept(common)
    return Shipment(
        target=target,
        common=common,
        body=settings.body,
        file=settings.file,
        when=when,
        most_bytes=STORED_BYTES if settings.payload_bucket else MESSAGE_BYTES,
    )


def _target(settings: SendSettings) -> str:
    given = [value for value in (settings.topic_arn, settings.queue_url) if value]
    if len(given) != 1:
        names = f"{describe('topic_arn')}, {describe('queue_url')}"
        problem = "both are set; send to one of them" if given else "set one of them"
        raise SettingError(names, problem)
    return given[0]


def _check_source(settings: SendSettings) -> None:
    names = f"BODY, {describe('file')}"
    if settings.body is not None and settings.file is not None:
        raise SettingError(names, "both are given; send one message, or the lines of a file")
    if settings.body is None and settings.file is None:
        raise SettingError(
            names,
            "nothing to send; give a BODY, - to read it from standard input, or --file LINES",
        )


def _check_fifo(settings: SendSettings, fifo: bool) -> None:
    if fifo and not settings.group_id:
        raise SettingError(
            describe("group_id"),
            "is missing; a FIFO topic or queue keeps the order within a group, so name the group",
        )
    if settings.dedup_id and not fifo:
        raise SettingError(
            describe("dedup_id"), "only a FIFO topic or queue, named *.fifo, removes duplicates"
        )
    if settings.dedup_id and settings.file is not None:
        raise SettingError(
            describe("dedup_id"), "with --file, all lines but the first would count as duplicates"
        )


def _check_ids(settings: SendSettings) -> None:
    for name, value in (("group_id", settings.group_id), ("dedup_id", settings.dedup_id)):
        if value is not None and not _ID.fullmatch(value):
            raise SettingError(
                describe(name),
                f"must be 1 to 128 letters, digits and punctuation marks, not {value!r}",
            )


def _subject(subject: str | None) -> str | None:
    if not subject:
        return None
    printable = not any(unicodedata.category(character) in _CONTROLS for character in subject)
    if len(subject) > SUBJECT_CHARACTERS or not printable:
        raise SettingError(
            describe("subject"),
            f"must be one line of at most {SUBJECT_CHARACTERS} printable characters",
        )
    return subject


def _attributes(given: Iterable[str]) -> dict[str, Attribute]:
    attributes = dict(map(_attribute, given))
    if len(attributes) > MAX_ATTRIBUTES:
        raise SettingError(
            describe("attribute"), f"a message has at most {MAX_ATTRIBUTES}, not {len(attributes)}"
        )
    return attributes


def _attribute(given: str) -> tuple[str, Attribute]:
    key, equals, value = given.partition("=")
    name, _, kind = key.partition(":")
    attribute = Attribute(type=kind or "String", value=value)
    if problem := attribute_flaw(name, attribute):
        raise SettingError(describe("attribute"), f"{problem}: {given!r}")
    if not equals or not value:
        raise SettingError(describe("attribute"), f"must be NAME=VALUE, not {given!r}")
    return name, attribute
