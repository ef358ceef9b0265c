"""What was asked for, checked before anything is sent."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import uuid4

from watchbot.errors import SettingError
from watchbot.settings.base import describe
from watchbot.settings.send import SendSettings
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import Outgoing, decoded, is_binary

MAX_ATTRIBUTES = 10  # SQS refuses more, and a topic drops what it cannot hand on
SUBJECT_CHARACTERS = 99  # SNS wants fewer than a hundred

_CONTROLS = {"Cc", "Cs", "Zl", "Zp"}  # control characters, lone surrogates, line breaks
_ID = re.compile(r"[!-~]{1,128}")
_NAME = re.compile(r"(?!aws\.|amazon\.)(?!.*\.\.)(?!\.)[\w.-]{1,256}(?<!\.)", re.ASCII | re.I)
_TYPE = re.compile(r"(String|Number|Binary)(\.[!-~]+)?")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be sent, and where to: an ARN or a URL. Either `body` or `file` is set."""

    place: str
    common: Outgoing  # what all messages share; its body is not filled in
    body: str | None
    file: str | None

    def message(self, body: str) -> Outgoing:
        """The message that says `body`.

        For FIFO it has the deduplication id that was given, else a new one: two alike lines are
        two messages, and a message that is sent twice because no answer came is one.
        """
        made_up = str(uuid4()) if _is_fifo(self.place) else None
        return replace(self.common, body=body, dedup_id=self.common.dedup_id or made_up)


def planned(settings: SendSettings) -> Plan:
    """The plan that fits what was asked for.

    Raises `SettingError` for what is missing, what contradicts, and what SQS or SNS would refuse.
    """
    place = _place(settings)
    _check_source(settings)
    _check_ids(settings)
    _check_fifo(settings, _is_fifo(place))
    common = Outgoing(
        body="",
        subject=_subject(settings.subject),
        attributes=_attributes(settings.attribute),
        group_id=settings.group_id,
        dedup_id=settings.dedup_id,
    )
    return Plan(place=place, common=common, body=settings.body, file=settings.file)


def _place(settings: SendSettings) -> str:
    given = [value for value in (settings.topic_arn, settings.queue_url) if value]
    if len(given) != 1:
        names = f"{describe('topic_arn')}, {describe('queue_url')}"
        problem = "both are set; send to one of them" if given else "set one of them"
        raise SettingError(names, problem)
    return given[0]


def _is_fifo(place: str) -> bool:
    return place.rstrip("/").endswith(".fifo")


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
    if problem := _attribute_problem(name, attribute):
        raise SettingError(describe("attribute"), f"{problem}: {given!r}")
    if not equals or not value:
        raise SettingError(describe("attribute"), f"must be NAME=VALUE, not {given!r}")
    return name, attribute


def _attribute_problem(name: str, attribute: Attribute) -> str | None:
    if not _NAME.fullmatch(name):
        return "a name is of letters, digits, '_', '-' and single '.', and not of AWS"
    if not _TYPE.fullmatch(attribute.type):
        return "a type is String, Number or Binary"
    if attribute.type.startswith("Number") and not _NUMBER.fullmatch(attribute.value):
        return "the value is not a number"
    if is_binary(attribute) and decoded(attribute) is None:
        return "the value is not base64"
    return None
