"""Which bodies are pointers, and what is fetched for them."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.crowded import no_room_for_threads
from watchbot.errors import AwsError, Denied, NotFound
from watchbot.sqs.envelope import Content
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import Outgoing
from watchbot.sqs.payload import (
    CLASSES,
    PayloadError,
    PayloadGone,
    Payloads,
    Pointer,
    pointer_in,
    pointing,
)

PLACE = {"s3BucketName": "b", "s3Key": "k"}
HERE = Pointer("b", "k")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([CLASSES[0], PLACE], HERE),
        ([CLASSES[1], PLACE], HERE),
        (PLACE, HERE),
        (["some.other.Class", PLACE], None),
        ([CLASSES[0]], None),
        ([CLASSES[0], "s3BucketName s3Key"], None),
        ([CLASSES[0], {**PLACE, "s3Key": ""}], None),
        ([CLASSES[0], {**PLACE, "s3Key": 7}], None),
        ({**PLACE, "mine": 1}, None),
        ([PLACE], None),
        ("s3BucketName s3Key", None),
        ({"n": 1}, None),
    ],
)
def test_three_shapes_are_pointers_and_nothing_else(body: Any, expected: Pointer | None) -> None:
    assert pointer_in(json.dumps(body)) == expected


@pytest.mark.parametrize("body", ["", "s3BucketName s3Key", "[" * 3_000 + "s3BucketName s3Key"])
def test_what_is_no_json_is_no_pointer(body: str) -> None:
    assert pointer_in(body) is None


def test_what_is_sent_is_what_is_read() -> None:
    message = pointing(Outgoing(body="x" * 9), HERE, 9)

    assert pointer_in(message.body) == HERE
    assert message.attributes == {"ExtendedPayloadSize": Attribute(type="Number", value="9")}


class Body:
    """The body of an answer, which may break off."""

    def __init__(self, data: bytes, fault: Exception | None) -> None:
        self._data, self._fault = data, fault
        self.is_open = True

    async def __aenter__(self) -> "Body":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_open = False

    async def read(self, size: int) -> bytes:
        data, self._data = self._data[:size], self._data[size:]
        if not data and self._fault is not None:
            raise self._fault
        return data


class Bucket:
    """S3 with one object, whose answers break off after `part` bytes for the first `breaks`.

    `told` is in the answers in place of what S3 says; None leaves a field out.
    """

    service = "s3"

    def __init__(
        self,
        data: bytes,
        *,
        part: int = 100,
        breaks: int = 0,
        fault: AwsError | None = None,
        told: Mapping[str, Any] | None = None,
    ) -> None:
        self._told, self.bodies = told or {}, list[Body]()
        self._data, self._part, self._breaks, self._fault = data, part, breaks, fault
        self.calls: list[dict[str, Any]] = []

    async def call(self, operation: str, **parameters: Any) -> Any:
        self.calls.append({"operation": operation, **parameters})
        if self._fault is not None:
            raise self._fault
        start = int(parameters.get("Range", "bytes=0-")[6:-1])
        rest = self._data[start:]
        breaks, self._breaks = self._breaks > 0, self._breaks - 1
        sent = rest[: self._part] if breaks else rest
        answer = {
            "ETag": '"e"',
            "ContentLength": len(rest),
            "ContentRange": f"bytes {start}-{len(self._data) - 1}/{len(self._data)}",
            "Body": Body(sent, ConnectionResetError("gone") if breaks else None),
            **self._told,
        }
        self.bodies.append(answer["Body"])
        return {name: value for name, value in answer.items() if value is not None}


def payloads(bucket: Bucket, root: Path, **options: Any) -> Payloads:
    facts = {"most_bytes": 1_000, "keep": False, **options}
    return Payloads(bucket, ("b",), str(root), **facts)  # type: ignore[arg-type]  # a fake


def content(bucket: str = "b") -> Content:
    body = json.dumps([CLASSES[0], {**PLACE, "s3BucketName": bucket}])
    attributes = {
        name: Attribute(type="String", value="v") for name in ("ExtendedPayloadSize", "k")
    }
    return Content(subject="", body=body, topic_arn=None, attributes=attributes)


def held(path: str | None) -> tuple[bytes, int]:
    """What a file holds, and who may read it."""
    file = Path(str(path))
    return file.read_bytes(), stat.S_IMODE(file.stat().st_mode)


def files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_body_is_in_a_file_of_ours_alone(tmp_path: Path) -> None:
    found = await payloads(Bucket(b"data"), tmp_path).fetched(content())

    assert held(found.file) == (b"data", 0o600)
    assert found.body == content().body  # what a notice shows
    assert set(found.attributes) == {"k"}


async def test_fetch_that_breaks_off_goes_on_from_there_in_that_version(tmp_path: Path) -> None:
    data = bytes(range(250))
    bucket = Bucket(data, breaks=2)

    found = await payloads(bucket, tmp_path).fetched(content())

    assert held(found.file) == (data, 0o600)
    assert [(call.get("Range"), call.get("IfMatch")) for call in bucket.calls] == [
        (None, None),
        ("bytes=100-", '"e"'),
        ("bytes=200-", '"e"'),
    ]


@pytest.mark.parametrize(
    ("bucket", "kind", "problem"),
    [
        (Bucket(bytes(2_000)), PayloadError, "it has 2,000 bytes, and --max-payload allows 1,000"),
        (Bucket(bytes(900), breaks=9, part=10), PayloadError, "it broke off after 40 of 900 bytes"),
        (
            Bucket(
                b"", fault=NotFound(service="S3", operation="o", code="NoSuchKey", text="no such")
            ),
            PayloadGone,
            "s3://b/k: there is no such object",
        ),
        (
            Bucket(b"", fault=Denied(service="S3", operation="o", code="AccessDenied", text="no")),
            PayloadError,
            "s3://b/k: AccessDenied: no",
        ),
        (Bucket(b"x", told={"ETag": None}), PayloadError, "s3://b/k: the server tells no ETag"),
        (Bucket(b"x", told={"ContentLength": None}), PayloadError, "tells no ContentLength"),
        (
            Bucket(bytes(250), breaks=1, told={"ContentRange": None, "ContentLength": 250}),
            PayloadError,
            "s3://b/k: the server does not go on after 100 bytes",
        ),
        (
            Bucket(b"x", told={"Body": Body(b"x", OSError("another checksum"))}),
            PayloadError,
            "s3://b/k: another checksum",
        ),
    ],
)
async def test_failed_fetch_says_why_and_leaves_no_file(
    bucket: Bucket, kind: type[PayloadError], problem: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=problem) as caught:
        await payloads(bucket, tmp_path).fetched(content())

    assert type(caught.value) is kind
    assert files(tmp_path) == []
    assert not any(body.is_open for body in bucket.bodies)  # its connection is free again


async def test_machine_without_room_for_a_thread_is_a_failed_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_room_for_threads(monkeypatch)

    with pytest.raises(PayloadError, match="s3://b/k: cannot be written: can't start new thread"):
        await payloads(Bucket(b"x"), tmp_path).fetched(content())
    assert files(tmp_path) == []


async def test_other_bucket_is_not_read(tmp_path: Path) -> None:
    bucket = Bucket(b"data")

    with pytest.raises(PayloadError, match="s3://other/k: --payload-buckets does not name"):
        await payloads(bucket, tmp_path).fetched(content("other"))

    assert bucket.calls == []


async def test_object_is_deleted_unless_it_is_kept_or_in_another_bucket(tmp_path: Path) -> None:
    bucket = Bucket(b"data")
    await payloads(bucket, tmp_path, keep=True).discard(content())
    await payloads(bucket, tmp_path).discard(content("other"))
    assert bucket.calls == []

    await payloads(bucket, tmp_path).discard(content())

    assert bucket.calls == [{"operation": "delete_object", "Bucket": "b", "Key": "k"}]
