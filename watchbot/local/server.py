"""Serves the embedded AWS of `watchbot local`: moto in threads, with changed SQS and ECS.

Unchanged, moto 5.2 takes 5 messages a second from a queue with 5,000 messages. Under concurrent
receives it delivers some messages twice and some never. So `sqs` replaces its queues.
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
    from moto.moto_api._internal.models import moto_api_backend
    from moto.moto_server import werkzeug_app
    from moto.sqs import models
    from moto.sqs.responses import SQSResponse

    from watchbot.local import loopback
    from watchbot.local.moves import ACTIONS
    from watchbot.local.sqs import Backend, EmbeddedQueue
except ImportError as missing:
    raise MissingExtra("local", "an AWS of your own") from missing


@contextmanager
def running_server(port: int = 0) -> Iterator[str]:
    """Serves an empty AWS on loopback until the block is left; yields its URL.

    Port 0 means any free port. Keeps all data in memory, and drops them at the end. A process can
    serve only one AWS at a time, because moto has one state per process. Raises `SettingError` when
    the port is in use.
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
    # moto 5.2.5 and later have their own class, which keeps underscores in names of S3 metadata.
    own = getattr(werkzeug_app, "MotoRequestHandler", object)
    return type("Talk", (loopback.KeptConnection, own), {})


class Dispatcher(werkzeug_app.DomainDispatcherApplication):
    """Chooses the service of a request as moto does, but only once for each host name.

    moto lists its own directory for every request: 175 calls of stat, half of the 0.9 ms that a
    small request takes.
    """

    def __init__(self) -> None:
        super().__init__(_application)
        self._found: dict[str | None, Any] = {}

    def get_backend_for_host(self, host: str | None) -> Any:
        if host not in self._found:
            self._found[host] = super().get_backend_for_host(host)
        return self._found[host]


def _application(service: Any) -> Any:
    """moto's application for a service, mended; DynamoDB handles one call at a time.

    moto reads an item, checks the condition and writes, without a lock. When eight threads tried to
    be the first writer of each of 100 items, 120 writes succeeded.
    """
    if service == "ecs":
        # Imported only here: moto's ECS brings its EC2, a second's work, which few runs need.
        from watchbot.local import ecs

        ecs.mend()
    elif service == "dynamodb":
        from watchbot.local import tables

        tables.mend()
    app = werkzeug_app.create_backend_app(service)
    return loopback.one_at_a_time(app) if service == "dynamodb" else app


_underscored = functools.cache(camelcase_to_underscores)
_method_names = functools.cache(method_names_from_class)


def _mend() -> None:
    """Replaces parts of moto with ours, for the rest of this process."""
    for owner, name, ours in (
        (models, "Queue", EmbeddedQueue),
        (models.sqs_backends, "backend", Backend),
        # moto keeps every message ever sent, and every delivered copy.
        (models.Message, "instances_tracked", deque(maxlen=0)),
        # Pure functions of a few names, which moto computes up to 90 times for each sent message.
        (models, "camelcase_to_underscores", _underscored),
        (responses, "method_names_from_class", _method_names),
        # moto lets every web page in the user's browser read its answers.
        (werkzeug_app, "DISABLE_GLOBAL_CORS", True),
        *((SQSResponse, name, action) for name, action in ACTIONS.items()),
    ):
        setattr(owner, name, ours)
