"""Defines facts, claims and completions, which a store of progress takes and returns."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

CLAIM_S = 60  # a claimant that has not confirmed its reduce message by then counts as dead

Fact = Literal["error", "metadata", "reduceSent"]  # the names in ecs-watchbot's tables


class Completion(Enum):
    """The effect of a completed part on its job."""

    OPEN = "open"  # parts are left, or the job has failed
    LAST = "last"  # all parts are done, and only this caller hears it
    CLAIMED = "claimed"  # all parts are done, and another caller has heard it


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Asks to be told that all parts are done: a token, and the epoch second `at`.

    Make a new token for each call. A call repeated because its answer was lost keeps its token,
    and gets the answer of the first call.
    """

    token: str
    at: int
