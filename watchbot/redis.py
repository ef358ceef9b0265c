"""One database of Redis: opened by its URL, with every fault as a `DatabaseError`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

from watchbot.errors import DatabaseError, MissingExtra, SettingError
from watchbot.patience import NoAnswerInTime, waiting
from watchbot.settings.base import describe
from watchbot.settings.whereabouts import is_unambiguous

CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 10


class RedisDatabase:
    """A database. `url` is shown in errors, and has no password.

    Every call raises `DatabaseError`.
    """

    def __init__(self, redis: Any, url: str, faults: tuple[type[Exception], ...]) -> None:
        self._redis, self._url = redis, url
        self._faults: tuple[type[Exception], ...] = (*faults, NoAnswerInTime)

    async def ask(self, call: Callable[[Any], Awaitable[Any]]) -> Any:
        """The answer to one call of the client; a tool says after a while that it waits."""
        with self._translated():
            return await waiting().answer(f"Redis ({self._url})", lambda: call(self._redis))

    async def run(self, script: str, keys: Sequence[str], *values: str | int | bytes) -> Any:
        """Runs a script, which Redis does atomically; returns its answer."""
        return await self.ask(lambda redis: redis.register_script(script)(keys=keys, args=values))

    async def keys(self, pattern: str, kind: str) -> AsyncIterator[bytes]:
        """Yields the keys of one type that match a pattern."""
        with self._translated():
            async for key in self._redis.scan_iter(match=pattern, _type=kind):
                yield key

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._faults as fault:
            raise DatabaseError(self._url, " ".join(str(fault).split())) from fault


@asynccontextmanager
async def open_redis(url: str, option: str, purpose: str) -> AsyncIterator[RedisDatabase]:
    """Opens the database at `url`: `redis://HOST:PORT/NUMBER`, or `rediss://` for TLS.

    Raises `SettingError`, naming `option`, for a URL that cannot be read, and `MissingExtra`, which
    says that `purpose` needs a library.
    """
    try:
        from redis.asyncio import Redis
        from redis.exceptions import RedisError
    except ImportError as missing:
        raise MissingExtra("redis", purpose) from missing
    try:
        if not is_unambiguous(url):
            raise ValueError("a part of its password may be in a wrong place")
        redis = Redis.from_url(
            url, socket_connect_timeout=CONNECT_TIMEOUT_S, socket_timeout=ANSWER_TIMEOUT_S
        )
    except ValueError as fault:
        problem = "must be like redis://HOST:6379/0; in a password, write @ : / [ as "
        raise SettingError(describe(option), f"{problem}%40 %3A %2F %5B") from fault
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    async with redis:
        yield RedisDatabase(redis, shown, (RedisError,))
