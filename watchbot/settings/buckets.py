"""Types of settings that name buckets of S3."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def _bucket(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"must be the name of a bucket, like jobs-payloads, not {name!r}")
    return name


def _buckets(value: object) -> tuple[str, ...]:
    """The names in a list, or in texts with commas."""
    texts = value if isinstance(value, list | tuple) else (value,)
    names = (part.strip() for text in texts for part in str(text).split(","))
    return tuple(_bucket(name) for name in dict.fromkeys(names) if name)


Bucket = Annotated[str, AfterValidator(_bucket)]
Buckets = Annotated[tuple[str, ...], BeforeValidator(_buckets)]
