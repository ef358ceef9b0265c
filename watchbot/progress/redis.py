"""Jobs in Redis: a hash for each job, and its parts as the bits of a string.

Each change is one script, which Redis runs atomically.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from watchbot import redis
from watchbot.errors import JobDiffers, NoSuchJob, NoSuchPart
from watchbot.progress.claim import CLAIM_S, Claim, Completion, Fact
from watchbot.progress.job import MapReduceJob, check_part

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

PREFIX = "watchbot:progress:"
BITS = [[number for number in range(8) if not byte << number & 0x80] for byte in range(256)]


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator["RedisStore"]:
    """Opens the database at `url`: `redis://HOST:PORT/NUMBER`, or `rediss://` for TLS."""
    async with redis.open_redis(url, "progress_table", "progress in Redis") as database:
        yield RedisStore(database)


class RedisStore:
    """A store in one database."""

    def __init__(self, database: redis.RedisDatabase) -> None:
        self._redis = database

    async def create(
        self, job: str, parts: range, *, expires: int | None = None, anew: bool = False
    ) -> None:
        given = [len(parts), parts[0], int(anew), *([] if expires is None else [expires])]
        if not await self._redis.run(CREATE, _keys(job), *given):
            known = await self.read(job)
            if known.parts != parts:
                raise JobDiffers(job, known.parts)

    async def note(self, job: str, fact: Fact, value: Any) -> None:
        if not await self._redis.run(NOTE, _keys(job), fact, json.dumps(value)):
            raise NoSuchJob(job)

    async def complete(self, job: str, part: int, claim: Claim) -> Completion:
        told = await self._redis.run(COMPLETE, _keys(job), part, claim.token, claim.at)
        answer = told.decode()
        if answer == "no job":
            raise NoSuchJob(job)
        if answer == "no part":
            raise NoSuchPart(job, part, (await self.read(job)).parts)
        return Completion(answer)

    async def take_over(self, job: str, claim: Claim) -> bool:
        dead = claim.at - CLAIM_S
        return bool(await self._redis.run(TAKE_OVER, _keys(job), claim.token, claim.at, dead))

    async def read(self, job: str) -> MapReduceJob:
        found: Any = await self._redis.ask(lambda redis: redis.hgetall(_keys(job)[0]))
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
        done: Any = await self._redis.ask(lambda redis: redis.get(_keys(job)[1])) or b""
        # Redis numbers the bits of a byte from the highest; the string ends with the last set bit.
        indexes = (
            number * 8 + bit
            for number, byte in enumerate(done.ljust(-(-len(parts) // 8), b"\0"))
            for bit in BITS[byte]
        )
        return [parts[index] for index in indexes if index < len(parts)]

    async def remaining(self, job: str) -> int:
        total = (await self.read(job)).total
        return total - int(await self._redis.ask(lambda redis: redis.bitcount(_keys(job)[1])))

    async def is_done(self, job: str, part: int) -> bool:
        known = await self.read(job)
        check_part(known, part)
        bit = part - known.parts[0]
        return bool(await self._redis.ask(lambda redis: redis.getbit(_keys(job)[1], bit)))

    async def jobs(self) -> AsyncIterator[str]:
        async for key in self._redis.keys(PREFIX + "{*}", "hash"):
            yield key.decode()[len(PREFIX) + 1 : -1]


def _keys(job: str) -> list[str]:
    # A cluster hashes the text in braces: both keys are on one server.
    return [f"{PREFIX}{{{job}}}", f"{PREFIX}{{{job}}}:parts"]
