"""The interface of a store of checkpoints."""

from dataclasses import dataclass
from typing import Protocol

KEPT_S = 14 * 24 * 3600  # longer than SQS keeps any message


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A stored checkpoint; the store may forget it after the epoch second `expires`."""

    content: bytes
    expires: int


class CheckpointStore(Protocol):
    """Checkpoints, one for each name. Each call is atomic.

    A store raises `AwsError`, `DatabaseError` or `OSError` when it cannot do what was asked.
    """

    async def save(self, name: str, content: bytes, order: str, expires: int) -> bool:
        """Stores a checkpoint in place of the last one.

        `order` says which run stores it; later runs have greater texts. False, and nothing is
        stored, where a later run has stored one: a run that lost its lease may not know yet.
        """
        ...

    async def load(self, name: str) -> Checkpoint | None:
        """The checkpoint of this name."""
        ...

    async def keep(self, name: str, expires: int) -> None:
        """Keeps a checkpoint until `expires`, if there is one."""
        ...

    async def delete(self, name: str) -> None:
        """Deletes the checkpoint of this name, if there is one."""
        ...
