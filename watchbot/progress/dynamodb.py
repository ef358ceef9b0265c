"""Jobs in a DynamoDB table: a header item for each job, and an item for each 4,096 parts.

The header's key is the job's id. Its attributes are those of ecs-watchbot (`total`, `metadata`,
`error`, `reduceSent`), and `first`, the number of the first part; `run`, part of its chunks' keys;
`full`, the chunks whose parts are all done; `reducer` and `since`, the claim. ecs-watchbot began an
item without `run`: its `parts` are the open numbers, and it is finished in that form.

Needs the permissions GetItem and UpdateItem, and Scan to list jobs.
"""

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from watchbot import dynamodb
from watchbot.aws import Client
from watchbot.dynamodb import Item, Table, side_by_side
from watchbot.errors import JobDiffers, NoSuchJob, UsageError
from watchbot.progress import chunk
from watchbot.progress.claim import CLAIM_S, Claim, Completion, Fact
from watchbot.progress.job import MapReduceJob, check_part
from watchbot.settings.base import AwsEndpoint

CHUNK_KEY = "watchbot-parts:"  # then the job's `run`, and the chunk's number
READS = 10  # chunks read at once


@asynccontextmanager
async def open_table(address: str, aws: AwsEndpoint) -> AsyncIterator["ProgressTable"]:
    """Opens the table with this name or ARN."""
    async with dynamodb.open_table(address, aws) as table:
        yield ProgressTable(table)


async def create_table(client: Client, name: str) -> None:
    """Creates a table for jobs."""
    await client.call(
        "create_table",
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )


class ProgressTable:
    """A store in one table, whose key is the text `id`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    async def create(
        self, job: str, parts: range, *, expires: int | None = None, anew: bool = False
    ) -> None:
        if job.startswith(CHUNK_KEY):
            raise UsageError(f"no job's id may begin with {CHUNK_KEY!r}")
        # Chunks' keys hold a run, not the job's id: chunks left by an expired job with this id
        # then do not count.
        facts = {"total": len(parts), "first": parts[0], "run": uuid.uuid4().hex}
        if expires is not None:
            facts["expires"] = expires
        text = ", ".join(f"#{name} = :{name}" for name in facts)
        if (
            await self._table.update(
                {"id": job}, f"SET {text}", "attribute_not_exists(#total)", **facts
            )
            is None
        ):
            if anew and await self._begin_anew(job, facts):
                return
            known = await self.read(job)
            same = known.parts == parts or (_is_old(known) and known.total == len(parts))
            if not same:
                raise JobDiffers(job, known.parts)

    async def _begin_anew(self, job: str, facts: Item) -> bool:
        """Begins the job again if it is over; returns whether it was."""
        noted = ("full", "parts", "reducer", "since", "error", "metadata", "reduceSent")
        old = [*noted, *(() if "expires" in facts else ("expires",))]
        text = (
            f"SET {', '.join(f'#{name} = :{name}' for name in facts)}"
            f" REMOVE {', '.join(f'#{name}' for name in old)}"
        )
        over = (
            "attribute_exists(#reducer) OR attribute_exists(#error)"
            " OR (attribute_exists(#total) AND attribute_not_exists(#run)"
            " AND attribute_not_exists(#parts))"
        )
        return await self._table.update({"id": job}, text, over, **facts) is not None

    async def note(self, job: str, fact: Fact, value: Any) -> None:
        kept = f"if_not_exists(#{fact}, :{fact})" if fact == "error" else f":{fact}"
        text = f"SET #{fact} = {kept}"
        if (
            await self._table.update({"id": job}, text, "attribute_exists(#total)", **{fact: value})
            is None
        ):
            raise NoSuchJob(job)

    async def complete(self, job: str, part: int, claim: Claim) -> Completion:
        header = await self._header(job)
        check_part(_job(header), part)
        done = self._complete if "run" in header else self._complete_old
        return await self._claim(job, claim) if await done(header, part) else Completion.OPEN

    async def take_over(self, job: str, claim: Claim) -> bool:
        unsent = "attribute_not_exists(#reduceSent) AND attribute_not_exists(#error)"
        taken = await self._table.update(
            {"id": job},
            "SET #reducer = :reducer, #since = :since",
            f"#since <= :dead AND {unsent}",
            reducer=claim.token,
            since=claim.at,
            dead=claim.at - CLAIM_S,
        )
        return taken is not None

    async def read(self, job: str) -> MapReduceJob:
        return _job(await self._header(job))

    async def pending(self, job: str) -> list[int]:
        header = await self._header(job)
        if "run" not in header:
            return sorted(header.get("parts", ()))
        return [
            header["first"] + index
            for number, words in await self._open_chunks(header)
            for index in chunk.missing(number, header["total"], words)
        ]

    async def remaining(self, job: str) -> int:
        header = await self._header(job)
        if "run" not in header:
            return len(header.get("parts", ()))
        return sum(
            chunk.size(number, header["total"]) - chunk.count(words)
            for number, words in await self._open_chunks(header)
        )

    async def is_done(self, job: str, part: int) -> bool:
        header = await self._header(job)
        check_part(_job(header), part)
        if "run" not in header:
            return part not in header.get("parts", ())
        bit = chunk.bit_of(part - header["first"])
        words = await self._table.get(id=_key(header, bit.chunk))
        return bool(words.get(bit.word, 0) & bit.mask)

    async def _open_chunks(self, header: Item) -> list[tuple[int, Item]]:
        """The numbers and words of the chunks not known to be full."""
        full = header.get("full", set())
        left = [number for number in chunk.chunks(header["total"]) if number not in full]
        held = await self._read([_key(header, number) for number in left])
        return list(zip(left, held, strict=True))

    async def jobs(self) -> AsyncIterator[str]:
        pages = self._table.pages(
            "scan",
            FilterExpression="attribute_exists(#total)",
            ProjectionExpression="id",
            ExpressionAttributeNames={"#total": "total"},
        )
        async for page in pages:
            for item in page["Items"]:
                yield item["id"]["S"]

    async def _complete(self, header: Item, part: int) -> bool:
        """Marks a part as done; returns whether all parts are done."""
        total = header["total"]
        bit = chunk.bit_of(part - header["first"])
        full = header.get("full", set())
        # Also continues for a part that was done before: its first caller may have died here.
        if bit.chunk not in full:
            words = await self._set(header, bit)
            if chunk.count(words) < chunk.size(bit.chunk, total):
                return False
            changed = await self._table.update(
                {"id": header["id"]}, "ADD #full :full", full={bit.chunk}
            )
            full = (changed or {}).get("full", set())
        return len(full) == len(chunk.chunks(total))

    async def _set(self, header: Item, bit: chunk.Bit) -> Item:
        """Sets a bit; returns the words of its chunk."""
        key, name = _key(header, bit.chunk), bit.word
        expires = {"expires": header["expires"]} if "expires" in header else {}
        text = f"SET #{name} = :{name}" + (", #expires = :expires" if expires else "")
        while True:  # each retry means that another bit of the word was set: at most 64
            words = await self._table.get(id=key)
            old = {"old": words[name]} if name in words else {}
            if words.get(name, 0) & bit.mask:
                return words
            unchanged = f"#{name} = :old" if old else f"attribute_not_exists(#{name})"
            new = {name: words.get(name, 0) | bit.mask}
            changed = await self._table.update(
                {"id": key}, text, unchanged, **new, **old, **expires
            )
            if changed is not None:
                return changed

    async def _complete_old(self, header: Item, part: int) -> bool:
        left = await self._table.update({"id": header["id"]}, "DELETE #parts :parts", parts={part})
        return not (left or {}).get("parts")

    async def _claim(self, job: str, claim: Claim) -> Completion:
        won = await self._table.update(
            {"id": job},
            "SET #reducer = :reducer, #since = :since",
            "attribute_not_exists(#error)"
            " AND (attribute_not_exists(#reducer) OR #reducer = :reducer)",
            reducer=claim.token,
            since=claim.at,
        )
        if won is not None:
            return Completion.LAST
        failed = (await self.read(job)).error is not None
        return Completion.OPEN if failed else Completion.CLAIMED

    async def _header(self, job: str) -> Item:
        item = await self._table.get(id=job)
        if "total" not in item:
            raise NoSuchJob(job)
        return item

    async def _read(self, keys: Sequence[str]) -> list[Item]:
        """The items of these keys; reads several at once."""
        return await side_by_side(lambda key: self._table.get(id=key), keys, READS)


def _key(header: Item, number: int) -> str:
    return f"{CHUNK_KEY}{header['run']}:{number}"


def _job(header: Item) -> MapReduceJob:
    first, total = header.get("first"), header["total"]
    return MapReduceJob(
        id=header["id"],
        total=total,
        # ecs-watchbot counted parts from 1, its Python library from 0; items do not say which.
        parts=range(total + 1) if first is None else range(first, first + total),
        error=header.get("error"),
        metadata=header.get("metadata"),
        reduce_sent=bool(header.get("reduceSent")),
    )


def _is_old(job: MapReduceJob) -> bool:
    return len(job.parts) > job.total
