"""Jobs in Redis: a hash for each job, and its parts as the bits of a string.

Each change is one script, which Redis runs atomically.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit

from watchbot.errors import (
    DatabaseError,
    JobDiffers,
    MissingExtra,
    NoSuchJob,
    NoSuchPart,
    SettingError,
)
from watchbot.patience import NoAnswerInTime, waiting
from watchbot.progress.claim import CLAIM_S, Claim, Completion, Fact
from watchbot.progress.job import MapReduceJob, check_part
from watchbot.settings.base import describe

try:
    from redis.asyncio import Redis
    from redis.exceptions import RedisError
except ImportError as missing:
    raise MissingExtra("redis", "progress in Redis") from missing

# KEYS: the job's hash, the bits of its parts. Both expire together.

CREATE = """
local total, first, anew, expires = unpack(ARGV)
local is_over = redis.call('HEXISTS', KEYS[1], 'reducer') + redis.call('HEXISTS', KEYS[1], 'error')
if anew == '1' and is_over > 0 then redis.call('DEL', KEYS[1], KEYS[2]) end
if redis.call('HSETNX', KEYS[1], 'total', total) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'first', first)
redis.call('SET', KEYS[2], '')
for _, key in ipairs(expires and KEYS or {}) do redis.call('EXPIREAT', key, expires) end
return 1
"""

NOTE = """
local fact, value = unpack(ARGV)
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call(fact == 'error' and 'HSETNX' or 'HSET', KEYS[1], fact, value)
return 1
"""

COMPLETE = """
local part, token, at = unpack(ARGV)
local total, first, reducer = unpack(redis.call('HMGET', KEYS[1], 'total', 'first', 'reducer'))
if not total then return 'no job' end
local place = tonumber(part) - tonumber(first)
if place < 0 or place >= tonumber(total) then return 'no part' end
redis.call('SETBIT', KEYS[2], place, 1)
if redis.call('BITCOUNT', KEYS[2]) < tonumber(total) then return 'open' end
if redis.call('HEXISTS', KEYS[1], 'error') == 1 then return 'open' end
if reducer and reducer ~= token then return 'claimed' end
redis.call('HSET', KEYS[1], 'reducer', token, 'since', at)
return 'last'
"""

TAKE_OVER = """
local token, at, dead = unpack(ARGV)
local since = redis.call('HGET', KEYS[1], 'since')
if not since or tonumber(since) > tonumber(dead) then return 0 end
if redis.call('HEXISTS', KEYS[1], 'reduceSent') == 1 then return 0 end
if redis.call('HEXISTS', KEYS[1], 'error') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'reducer', token, 'since', at)
return 1
"""

CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 10

PREFIX = "watchbot:progress:"
BITS = [[number for number in range(8) if not byte << number & 0x80] for byte in range(256)]


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator["RedisStore"]:
    """Opens the database at `url`: `redis://HOST:PORT/NUMBER`, or `rediss://` for TLS."""
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    try:
        redis = Redis.from_url(
            url, socket_connect_timeout=CONNECT_TIMEOUT_S, socket_timeout=ANSWER_TIMEOUT_S
        )
    except ValueError as fault:
        names = describe("progress_table")
        raise SettingError(names, "must be like redis://HOST:6379/0") from fault
    async with redis:
        yield RedisStore(redis, shown)


class RedisStore:
    """A store in one database. `url` is shown in errors, and has no password."""

    def __init__(self, redis: Redis, url: str) -> None:
        self._redis, self._url = redis, url

    async def create(
        self, job: str, parts: range, *, expires: int | None = None, anew: bool = False
    ) -> None:
        given = [len(parts), parts[0], int(anew), *([] if expires is None else [expires])]
        if not await self._run(CREATE, job, *given):
            known = await self.read(job)
            if known.parts != parts:
                raise JobDiffers(job, known.parts)

    async def note(self, job: str, fact: Fact, value: Any) -> None:
        if not await self._run(NOTE, job, fact, json.dumps(value)):
            raise NoSuchJob(job)

    async def complete(self, job: str, part: int, claim: Claim) -> Completion:
        answer = (await self._run(COMPLETE, job, part, claim.token, claim.at)).decode()
        if answer == "no job":
            raise NoSuchJob(job)
        if answer == "no part":
            raise NoSuchPart(job, part, (await self.read(job)).parts)
        return Completion(answer)

    async def take_over(self, job: str, claim: Claim) -> bool:
        return bool(await self._run(TAKE_OVER, job, claim.token, claim.at, claim.at - CLAIM_S))

    async def read(self, job: str) -> MapReduceJob:
        with self._translated():
            found: Any = await self._ask(lambda: self._redis.hgetall(_keys(job)[0]))
        facts = {name.decode(): value for name, value in found.items()}
        if not facts:
            raise NoSuchJob(job)
        first, total = int(facts["first"]), int(facts["total"])
        return MapReduceJob(
            id=job,
            total=total,
            parts=range(first, first + total),
            error=json.loads(facts.get("error", "null")),
            metadata=json.loads(facts.get("metadata", "null")),
            reduce_sent=json.loads(facts.get("reduceSent", "false")),
        )

    async def pending(self, job: str) -> list[int]:
        parts = (await self.read(job)).parts
        with self._translated():
            done: Any = await self._ask(lambda: self._redis.get(_keys(job)[1])) or b""
        # Redis numbers the bits of a byte from the highest; the string ends with the last set bit.
        indexes = (
            number * 8 + bit
            for number, byte in enumerate(done.ljust(-(-len(parts) // 8), b"\0"))
            for bit in BITS[byte]
        )
        return [parts[index] for index in indexes if index < len(parts)]

    async def remaining(self, job: str) -> int:
        total = (await self.read(job)).total
        with self._translated():
            return total - int(await self._ask(lambda: self._redis.bitcount(_keys(job)[1])))

    async def is_done(self, job: str, part: int) -> bool:
        known = await self.read(job)
        check_part(known, part)
        with self._translated():
            return bool(
                await self._ask(lambda: self._redis.getbit(_keys(job)[1], part - known.parts[0]))
            )

    async def jobs(self) -> AsyncIterator[str]:
        with self._translated():
            async for key in self._redis.scan_iter(match=PREFIX + "{*}", _type="hash"):
                yield key.decode()[len(PREFIX) + 1 : -1]

    async def _run(self, script: str, job: str, *values: str | int) -> Any:
        with self._translated():
            asked = self._redis.register_script(script)
            return await self._ask(lambda: asked(keys=_keys(job), args=values))

    async def _ask(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """The answer of one call; a tool says after a while that it waits for Redis."""
        return await waiting().answer(f"Redis ({self._url})", call)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, NoAnswerInTime) as fault:
            raise DatabaseError(self._url, " ".join(str(fault).split())) from fault


def _keys(job: str) -> list[str]:
    # A cluster hashes the text in braces: both keys are on one server.
    return [f"{PREFIX}{{{job}}}", f"{PREFIX}{{{job}}}:parts"]
