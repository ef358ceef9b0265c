"""The URL of a store of checkpoints, as `--checkpoints` takes it."""

import re
from typing import Annotated

from pydantic import AfterValidator

from watchbot.settings.progress import TABLE

_PLACES = rf"dynamodb://{TABLE}|rediss?://.+|file:///.+"


def _url(value: str) -> str:
    if not re.fullmatch(_PLACES, value):
        # The error does not repeat the value: it may hold a password.
        raise ValueError(
            "must be dynamodb://TABLE, redis://HOST:PORT/NUMBER or file:///DIRECTORY, with its "
            "whole path"
        )
    return value


CheckpointsUrl = Annotated[str, AfterValidator(_url)]
