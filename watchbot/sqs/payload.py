"""Reads bodies that are too large for SQS, and lie in S3: the message has a pointer to an object.

The extended client libraries of AWS write three forms of pointer; a list names the class of the
older or the newer Java library, and Python's may write the object alone.
https://github.com/awslabs/payload-offloading-java-common-lib-for-aws
"""

import json
import logging
import math
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import anyio
import anyio.to_thread

from watchbot.aws import Client, retry_pause
from watchbot.errors import AwsError
from watchbot.sqs.envelope import Content
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import MAX_ATTRIBUTES, Outgoing

CLASSES = (
    "software.amazon.payloadoffloading.PayloadS3Pointer",
    "com.amazon.sqs.javamessaging.MessageS3Pointer",
)
SIZES = ("ExtendedPayloadSize", "SQSLargePayloadSize")  # attributes of the libraries' own
_KEYS = {"s3BucketName", "s3Key"}
_MOST_POINTER = 4_096  # characters: a key has 1,024 bytes at most
_CHUNK_BYTES = 1_048_576
_TRIES = 4  # of a part of the object, from where the last one broke off

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pointer:
    """The place of a body in S3."""

    bucket: str
    key: str

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


class PayloadError(Exception):
    """The body could not be fetched; the text says why."""


class PayloadGone(PayloadError):
    """There is no such object, and no later try will find one."""


def pointer_in(body: str) -> Pointer | None:
    """The pointer that a body is; None for any other body."""
    if len(body) > _MOST_POINTER or not all(key in body for key in _KEYS):
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and len(value) == 2 and value[0] in CLASSES:
        value = value[1]
    elif not isinstance(value, dict) or value.keys() != _KEYS:
        return None
    return _pointer(value)


def _pointer(value: Any) -> Pointer | None:
    if not isinstance(value, Mapping):
        return None
    bucket, key = value.get("s3BucketName"), value.get("s3Key")
    if isinstance(bucket, str) and isinstance(key, str) and bucket and key:
        return Pointer(bucket, key)
    return None


def pointing(message: Outgoing, pointer: Pointer, size_bytes: int) -> Outgoing:
    """The message with a pointer for its body, as the newer Java library writes it."""
    place = {"s3BucketName": pointer.bucket, "s3Key": pointer.key}
    size = {SIZES[0]: Attribute(type="Number", value=str(size_bytes))}
    room = len(message.attributes) < MAX_ATTRIBUTES
    return replace(
        message,
        body=json.dumps([CLASSES[0], place]),
        attributes={**message.attributes, **size} if room else message.attributes,
    )


class Payloads:
    """Fetches the bodies that messages point to, from the buckets that are named alone.

    `root` is the directory for the files; `most_bytes` may be in each. `keep`: the objects stay.
    """

    def __init__(
        self, s3: Client, buckets: tuple[str, ...], root: str, *, most_bytes: int, keep: bool
    ) -> None:
        self._s3, self._buckets, self._root = s3, frozenset(buckets), root
        self._most_bytes, self._keep = most_bytes, keep
        self._made = 0

    async def fetched(self, content: Content) -> Content:
        """The content with its body in a file, if it points to one; else the content as it is.

        The caller deletes the file. Raises `PayloadError`.
        """
        pointer = pointer_in(content.body)
        if pointer is None:
            return content
        if pointer.bucket not in self._buckets:
            raise PayloadError(f"{pointer}: --payload-buckets does not name this bucket")
        self._made += 1
        path = f"{self._root}/payload-{self._made}"
        try:
            await self._download(pointer, path)
        except BaseException:
            remove(path)
            raise
        own = {name: item for name, item in content.attributes.items() if name not in SIZES}
        return replace(content, file=path, attributes=own)

    async def discard(self, content: Content) -> None:
        """Deletes the object of a message that is done; a failure is only logged."""
        pointer = pointer_in(content.body)
        if pointer is None or self._keep or pointer.bucket not in self._buckets:
            return
        try:
            await self._s3.call("delete_object", Bucket=pointer.bucket, Key=pointer.key)
        except AwsError as error:
            log.warning("payload not deleted", extra={"object": str(pointer), "reason": error.text})

    async def _download(self, pointer: Pointer, path: str) -> None:
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                await self._fill(file, pointer)
            finally:
                os.close(file)
        except (OSError, RuntimeError) as error:  # the second: no room for the thread that writes
            reason = getattr(error, "strerror", None) or error
            raise PayloadError(f"{pointer}: cannot be written: {reason}") from error

    async def _fill(self, file: int, pointer: Pointer) -> None:
        """Writes the object into the file; goes on from where a try broke off."""
        have, size, version = 0, math.inf, ""
        for failures in range(1, _TRIES + 1):
            try:
                answer = await self._ask(pointer, have, version)
                async with answer["Body"]:
                    version, size = _told(pointer, answer, have, version)
                    self._check(pointer, size)
                    written, fault = await _write(file, answer["Body"])
                have += written
                if fault is not None and have == size:
                    raise PayloadError(f"{pointer}: {fault}") from fault
                problem = f"it broke off after {have:,} of {size:,} bytes"
            except AwsError as error:
                problem = f"{error.code}: {error.text}"
                if not error.transient:
                    raise PayloadError(f"{pointer}: {problem}") from error
            if have == size:
                return
            if failures < _TRIES:
                await anyio.sleep(retry_pause(failures))
        raise PayloadError(f"{pointer}: {problem}")

    async def _ask(self, pointer: Pointer, have: int, version: str) -> Any:
        """The answer with what is missing of the object, in the version of which we have a part."""
        rest = {"Range": f"bytes={have}-", "IfMatch": version} if have else {}
        try:
            return await self._s3.call("get_object", Bucket=pointer.bucket, Key=pointer.key, **rest)
        except AwsError as error:
            if error.code == "NoSuchKey":
                raise PayloadGone(f"{pointer}: there is no such object") from error
            raise

    def _check(self, pointer: Pointer, size: int) -> None:
        if size > self._most_bytes:
            allowed = f"--max-payload allows {self._most_bytes:,}"
            raise PayloadError(f"{pointer}: it has {size:,} bytes, and {allowed}")


def remove(path: str) -> None:
    """Deletes a file, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(path)


def _told(pointer: Pointer, answer: Mapping[str, Any], have: int, version: str) -> tuple[str, int]:
    """The version and the size of the whole object, by an answer with what is behind `have` bytes.

    Raises `PayloadError` for a server that leaves one out, or sends what does not continue ours.
    """
    for name in ("ETag", "ContentLength"):
        if name not in answer:
            raise PayloadError(f"{pointer}: the server tells no {name}")
    goes_on = str(answer.get("ContentRange")).startswith(f"bytes {have}-")
    if have and not (goes_on and answer["ETag"] == version):
        raise PayloadError(f"{pointer}: the server does not go on after {have:,} bytes")
    return answer["ETag"], have + answer["ContentLength"]


async def _write(file: int, body: Any) -> tuple[int, Exception | None]:
    """Writes what comes of a body, and returns how much that was, and for what it broke off.

    A fault behind the last byte is a checksum that is not that of these bytes.
    """
    written = 0
    while True:
        try:
            chunk = await body.read(_CHUNK_BYTES)
        except Exception as fault:  # aiohttp and botocore have many classes for a broken connection
            return written, fault
        if not chunk:
            return written, None
        await anyio.to_thread.run_sync(_write_all, file, chunk)
        written += len(chunk)


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
