"""Messages as the JSON protocol of SQS writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.support import sqs_digest
from watchbot.sqs.message import Attribute, Message

Request = Mapping[str, Any]
Answer = dict[str, Any]


def handed_out(message: Message, system: set[str], wanted: Sequence[str]) -> Answer:
    """A message as a receive answers with it, with what was asked for of its attributes."""
    answer: Answer = {
        "MessageId": message.id,
        "ReceiptHandle": message.receipt,
        "MD5OfBody": sqs_digest.of_text(message.body),
        "Body": message.body,
    }
    if system:
        every = "All" in system
        answer["Attributes"] = message.system if every else only(message.system, system)
    if chosen := {
        name: on_the_wire(item)
        for name, item in message.attributes.items()
        if any(_chooses(pattern, name) for pattern in wanted)
    }:
        answer["MessageAttributes"] = chosen
        answer["MD5OfMessageAttributes"] = sqs_digest.of_attributes(chosen)
    return answer


def _chooses(pattern: str, name: str) -> bool:
    if pattern in ("All", ".*", name):
        return True
    return pattern.endswith(".*") and name.startswith(pattern[:-1])


def attributes(given: Mapping[str, Mapping[str, str]]) -> dict[str, Attribute]:
    return {
        name: Attribute(
            type=item["DataType"], value=item.get("StringValue") or item.get("BinaryValue", "")
        )
        for name, item in given.items()
    }


def on_the_wire(item: Attribute) -> dict[str, str]:
    # In JSON, as in ours, a binary value is base64 text.
    place = "BinaryValue" if item.type.partition(".")[0] == "Binary" else "StringValue"
    return {"DataType": item.type, place: item.value}


def only(given: Mapping[str, str], names: Sequence[str] | set[str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name in names}
