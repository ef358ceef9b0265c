"""What a store of progress is told and answers: facts, claims, and what completing a part meant."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal

CLAIM_S = 60  # a claimant that has not confirmed its reduce message by then counts as dead

Fact = Literal["error", "metadata", "reduceSent"]  # as ecs-watchbot's tables call them


class Completion(Enum):
    """What completing a part meant for the job."""

    OPEN = "open"  # parts are left, or the job has failed
    LAST = "last"  # all parts are done, and this caller alone is told so
    CLAIMED = "claimed"  # all parts are done, and another caller was told


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Asks to be told that all parts are done: a token, and the epoch second `at`.

    Make a new token for each call. A call repeated because its answer was lost keeps its token,
    and gets the answer of the first call.
    """

    token: str
    at: int
