"""The digests that SQS answers with, which clients compare with their own."""

import base64
import hashlib
from collections.abc import Mapping


def of_text(text: str) -> str:
    """The MD5 of a body."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def of_attributes(items: Mapping[str, Mapping[str, str]]) -> str:
    """The MD5 of attributes as the JSON protocol has them: by name, each part with its length."""
    digest = hashlib.md5(usedforsecurity=False)
    for name, item in sorted(items.items()):
        is_binary = item["DataType"].partition(".")[0] == "Binary"
        value = base64.b64decode(item["BinaryValue"]) if is_binary else item["StringValue"].encode()
        for part in (name.encode(), item["DataType"].encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update((b"\2" if is_binary else b"\1") + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()
