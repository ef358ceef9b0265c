"""Reads which queues a watcher receives from, and with what weights."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator

from watchbot.settings.base import queue_url
from watchbot.settings.whereabouts import queue_name, whereabouts

MOST_WEIGHT = 1_000


class QueueShare(NamedTuple):
    """A queue and its weight. `name` is the name in logs and metrics, which no other queue has."""

    url: str
    weight: int
    name: str


def shares(given: Sequence[str]) -> tuple[QueueShare, ...]:
    """The queues in texts that each hold `URL` or `URL=WEIGHT`, in order.

    A queue is named by its name alone where no other has it; else with its account, or by its URL.
    Raises `ValueError` for a bad URL or weight, and for a queue that is given twice.
    """
    found = [_share(text) for text in given]
    repeated = next((url for url, n in Counter(map(_place, found)).items() if n > 1), None)
    if repeated is not None:
        url = next(share.url for share in found if _place(share) == repeated)
        raise ValueError(f"names a queue twice, {url}; give it once, with the sum of the weights")
    names = _names([share.url for share in found])
    return tuple(share._replace(name=name) for share, name in zip(found, names, strict=True))


def _share(text: str) -> QueueShare:
    # No name of a queue holds an equals sign.
    url, equals, weight = text.rpartition("=")
    if not equals or "/" in weight:
        return QueueShare(queue_url(text), 1, "")
    if not re.fullmatch(r"[1-9][0-9]{0,3}", weight) or int(weight) > MOST_WEIGHT:
        raise ValueError(
            f"has a weight that is no whole number from 1 to {MOST_WEIGHT:,}: {text!r}; "
            "write URL=WEIGHT, or the URL alone"
        )
    return QueueShare(queue_url(url), int(weight), "")


def _place(share: QueueShare) -> tuple[object, str]:
    return whereabouts(share.url), urlsplit(share.url).path.rstrip("/")


def _names(urls: Sequence[str]) -> list[str]:
    def in_account(url: str) -> str:
        return "/".join(url.rstrip("/").split("/")[-2:])

    forms: tuple[Callable[[str], str], ...] = (queue_name, in_account)
    for form in forms:
        names = [form(url) for url in urls]
        if len(set(names)) == len(names):
            return names
    return list(urls)


def _split(value: object) -> object:
    """Each text may hold several, as a variable does: between spaces, line ends or commas."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        return value
    return tuple(part for text in texts for part in re.split(r"[\s,]+", str(text)) if part)


def _check(given: tuple[str, ...]) -> tuple[str, ...]:
    shares(given)
    return given


def _not_empty(given: tuple[str, ...]) -> tuple[str, ...]:
    if not given:
        raise ValueError("names no queue; give the URL of one")
    return given


AnyQueueUrls = Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_check)]
QueueUrls = Annotated[AnyQueueUrls, AfterValidator(_not_empty)]
