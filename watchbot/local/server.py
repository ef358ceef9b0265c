"""The embedded AWS of `watchbot local`: moto in threads of this process, its SQS and ECS mended.

moto 5.2 as it comes takes 5 messages a second from a queue where 5,000 wait, and under concurrent
receives hands some out twice and some never: `sqs` has its queues in our way.
"""

import functools
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from watchbot.errors import MissingExtra

try:
    from moto.core import responses
    from moto.core.utils import camelcase_to_underscores, method_names_from_class
    from moto.ecs import models as ecs_models
    from moto.moto_api._internal.models import moto_api_backend
    from moto.moto_server import werkzeug_app
    from moto.sqs import models
    from moto.sqs.responses import SQSResponse

    from watchbot.local import loopback
    from watchbot.local.ecs import EmbeddedTask
    from watchbot.local.moves import ACTIONS
    from watchbot.local.sqs import Backend, EmbeddedQueue
except ImportError as missing:
    raise MissingExtra("local", "an AWS of your own") from missing


@contextmanager
def running_server(port: int = 0) -> Iterator[str]:
    """The URL of an AWS, empty at first, that this process serves until the block is left.

    On loopback alone; port 0 is any free one. All is kept in memory, and is gone afterwards. One
    at a time: moto has one state per process. Raises `SettingError` when the port cannot be had.
    """
    with loopback.listening(port) as listener:
        moto_api_backend.reset()
        _mend()
        with loopback.serving(Dispatcher(), _talk(), listener, _end) as url:
            yield url


def _end() -> None:
    for _, _, backend in models.sqs_backends.iter_backends():
        for queue in cast(Backend, backend).queues.values():
            cast(EmbeddedQueue, queue).close()
    moto_api_backend.reset()


def _talk() -> type[loopback.KeptConnection]:
    # Since 5.2.5 moto has its own, which keeps the underscores in the names of S3's metadata.
    own = getattr(werkzeug_app, "MotoRequestHandler", object)
    return type("Talk", (loopback.KeptConnection, own), {})


class Dispatcher(werkzeug_app.DomainDispatcherApplication):
    """moto's choice of the service a request is for, made once per host name.

    moto lists its own directory for every request to find it: 175 calls of stat, half of the
    0.9 ms that a small request cost.
    """

    def __init__(self) -> None:
        super().__init__(_application)
        self._found: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._found:
            self._found[host] = super().get_backend_for_host(host)
        return self._found[host]


def _application(service: Any) -> Any:
    """moto's application for a service; DynamoDB takes one call at a time.

    moto reads an item, checks the condition and writes, without a lock: when eight threads each
    tried to be the first to write each of 100 items, 120 were told that they had been.
    """
    app = werkzeug_app.create_backend_app(service)
    return loopback.one_at_a_time(app) if service == "dynamodb" else app


_underscored = functools.cache(camelcase_to_underscores)
_method_names = functools.cache(method_names_from_class)


def _mend() -> None:
    """Puts what is ours into its place in moto, for the rest of this process."""
    for owner, name, ours in (
        (models, "EmbeddedQueue", EmbeddedQueue),
        (models.sqs_backends, "backend", Backend),
        (ecs_models, "EmbeddedTask", EmbeddedTask),
        # moto keeps every message that was ever sent, and every copy that was handed out.
        (models.Message, "instances_tracked", deque(maxlen=0)),
        # Pure functions of a few names, computed up to 90 times for each message that is sent.
        (models, "camelcase_to_underscores", _underscored),
        (responses, "method_names_from_class", _method_names),
        # moto lets every web page that the user looks at read its answers.
        (werkzeug_app, "DISABLE_GLOBAL_CORS", True),
        *((SQSResponse, name, action) for name, action in ACTIONS.items()),
    ):
        setattr(owner, name, ours)
