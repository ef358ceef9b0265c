"""Map-reduce: a job of many parts, and one message when all parts are done.

Workers in Python use `create_job` and `Part`, or `Progress` for single steps. Their tests use
`MemoryStore`.
"""

from watchbot.errors import (
    JobDiffers,
    JobFailed,
    MessagesUnsent,
    NoSuchJob,
    NoSuchPart,
    ReduceUnsent,
)
from watchbot.progress.memory import MemoryStore
from watchbot.progress.part import Part, create_job
from watchbot.progress.tracker import Progress

__all__ = [
    "JobDiffers",
    "JobFailed",
    "MemoryStore",
    "MessagesUnsent",
    "NoSuchJob",
    "NoSuchPart",
    "Part",
    "Progress",
    "ReduceUnsent",
    "create_job",
]
