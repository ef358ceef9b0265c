"""A running `watchbot console`, and a person who reads its pages and sends its forms."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests

from tests.support.cloud import Cloud
from tests.support.programs import read_until, stop


class Person:
    """Reads pages, and sends the forms on them with their tickets."""

    def __init__(self, url: str, **headers: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.headers.update(headers)

    def get(self, path: str, **headers: str) -> requests.Response:
        return self._session.get(self.url + path, headers=headers, timeout=10)

    def look(self, path: str) -> str:
        """The page's text without its tags."""
        answer = self.get(path)
        assert answer.status_code == 200, answer.text
        return text_of(answer.text)

    def ticket(self, path: str) -> str:
        """A ticket of a page; empty where the visitor may not act."""
        found = re.search(r'name="ticket" value="([^"]*)"', self.get(path).text)
        return found[1] if found else ""

    def send(self, page: str, action: str, **fields: Any) -> requests.Response:
        """Sends a form that is on `page`."""
        return self.post(action, {"ticket": self.ticket(page), **fields})

    def post(self, action: str, fields: dict[str, Any], **headers: str) -> requests.Response:
        return self._session.post(self.url + action, data=fields, headers=headers, timeout=10)


def text_of(document: str) -> str:
    """A page's text: one space between words, and no tags."""
    bare = re.sub(r"<(script|style)\b.*?</\1>|<[^>]+>", " ", document, flags=re.DOTALL)
    return " ".join(html.unescape(bare).split())


@contextmanager
def console(cloud: Cloud, *words: str, **environment: str) -> Iterator[str]:
    """A console on a free port; the URL that it serves."""
    with cloud.started("console", "--port", "0", *words, env=environment) as process:
        (url,) = re.findall(r"console url=(\S+)", read_until(process, "serving the console"))
        yield url
        stop(process)
