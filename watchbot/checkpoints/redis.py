"""Checkpoints in Redis, a hash each, which expires."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from watchbot import redis
from watchbot.checkpoints.store import Checkpoint

PREFIX = "watchbot:checkpoint:"
SAVE = """
local content, order, expires = unpack(ARGV)
local last = redis.call('HGET', KEYS[1], 'order')
if last and last > order then return 0 end
redis.call('HSET', KEYS[1], 'content', content, 'order', order, 'expires', expires)
redis.call('EXPIREAT', KEYS[1], expires)
return 1
"""
KEEP = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'expires', ARGV[1])
return redis.call('EXPIREAT', KEYS[1], ARGV[1])
"""


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator["CheckpointDatabase"]:
    """Opens the database at `url`."""
    async with redis.open_redis(url, "checkpoints", "checkpoints in Redis") as database:
        yield CheckpointDatabase(database)


class CheckpointDatabase:
    """A store in one database."""

    def __init__(self, database: redis.RedisDatabase) -> None:
        self._redis = database

    async def save(self, name: str, content: bytes, order: str, expires: int) -> bool:
        return bool(await self._redis.run(SAVE, [PREFIX + name], content, order, expires))

    async def load(self, name: str) -> Checkpoint | None:
        fields = ("content", "expires")
        content, expires = await self._redis.ask(lambda redis: redis.hmget(PREFIX + name, fields))
        return None if content is None else Checkpoint(content, int(expires))

    async def keep(self, name: str, expires: int) -> None:
        await self._redis.run(KEEP, [PREFIX + name], expires)

    async def delete(self, name: str) -> None:
        await self._redis.ask(lambda redis: redis.delete(PREFIX + name))
