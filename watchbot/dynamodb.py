"""Reads and writes a DynamoDB table: items as plain values, and conditional writes."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import anyio

from watchbot.aws import Client, open_client
from watchbot.errors import Rejected
from watchbot.settings.base import AwsEndpoint

Item = dict[str, Any]
Value = Mapping[str, Any]
Write = dict[str, Any]  # one write of a transaction

Given = TypeVar("Given")
Result = TypeVar("Result")

CONDITION_FAILED = "ConditionalCheckFailed"  # a single write adds "Exception"


class Table:
    """One table. Every call raises `AwsError`.

    Write an attribute as `#name` in expressions (DynamoDB reserves many words), and a value as
    `:name`, passed as `name=value`.
    """

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client

    async def call(self, operation: str, **parameters: Any) -> Any:
        """boto's answer to one call."""
        return await self._client.call(operation, **parameters)

    async def get(self, **key: str) -> Item:
        """The current item; empty when it does not exist."""
        answer = await self.call(
            "get_item", TableName=self.name, Key=_encoded(key), ConsistentRead=True
        )
        return _decoded(answer.get("Item", {}))

    async def update(
        self, key: Mapping[str, str], text: str, condition: str | None = None, **values: Any
    ) -> Item | None:
        """Updates an item; returns its new state, or None when the condition did not hold."""
        return await self._update("ALL_NEW", key, text, condition, values)

    async def replace(
        self, key: Mapping[str, str], text: str, condition: str, **values: Any
    ) -> Item | None:
        """Updates an item; returns its old state, or None when the condition did not hold."""
        return await self._update("ALL_OLD", key, text, condition, values)

    async def delete(self, key: Mapping[str, str], condition: str, **values: Any) -> bool:
        """Deletes an item; False when the condition did not hold."""
        answer = await self._unless_refused(
            "delete_item",
            TableName=self.name,
            Key=_encoded(key),
            **_expressions(ConditionExpression=condition, **values),
        )
        return answer is not None

    async def put(self, item: Mapping[str, Any], condition: str, **values: Any) -> bool:
        """Stores an item; False when the condition did not hold."""
        answer = await self._unless_refused(
            "put_item",
            TableName=self.name,
            Item=_encoded(item),
            **_expressions(ConditionExpression=condition, **values),
        )
        return answer is not None

    def to_put(self, item: Mapping[str, Any], condition: str, **values: Any) -> Write:
        """A put, for `transact`."""
        expressions = _expressions(ConditionExpression=condition, **values)
        return {"Put": {"TableName": self.name, "Item": _encoded(item), **expressions}}

    def to_update(self, key: Mapping[str, str], text: str, condition: str, **values: Any) -> Write:
        """An update, for `transact`."""
        expressions = _expressions(UpdateExpression=text, ConditionExpression=condition, **values)
        return {"Update": {"TableName": self.name, "Key": _encoded(key), **expressions}}

    async def transact(self, writes: list[Write]) -> list[str]:
        """Makes all writes, at most 100, and returns []; or none, and returns a code for each.

        A code is `None`, `ConditionalCheckFailed`, `TransactionConflict`, or another.
        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
        """
        try:
            await self.call("transact_write_items", TransactItems=writes)
        except Rejected as refusal:
            if refusal.code == "TransactionCanceledException":
                return list(refusal.reasons)
            raise
        return []

    async def query(self, where: str, **asked: Any) -> AsyncGenerator[Item]:
        """The items whose key matches `where`, in the order of the key.

        `asked` holds values, and parameters of the call under AWS's capitalized names. Reads are
        consistent; with an `IndexName` they may lag.
        """
        parameters = {name: value for name, value in asked.items() if name[0].isupper()}
        values = {name: value for name, value in asked.items() if name not in parameters}
        chosen = {name: parameters.pop(name, None) for name in _EXPRESSIONS}
        request = {
            "ConsistentRead": "IndexName" not in parameters,
            **parameters,
            **_expressions(KeyConditionExpression=where, **chosen, **values),
        }
        async for page in self.pages("query", **request):
            for item in page["Items"]:
                yield _decoded(item)

    async def pages(self, operation: str, **parameters: Any) -> AsyncIterator[Any]:
        """The answers of a query or a scan, page by page."""
        start: dict[str, Any] = {}
        while True:
            answer = await self.call(operation, TableName=self.name, **parameters, **start)
            yield answer
            if not answer.get("LastEvaluatedKey"):
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def _update(
        self,
        returned: str,
        key: Mapping[str, str],
        text: str,
        condition: str | None,
        values: Mapping[str, Any],
    ) -> Item | None:
        answer = await self._unless_refused(
            "update_item",
            TableName=self.name,
            Key=_encoded(key),
            ReturnValues=returned,
            **_expressions(UpdateExpression=text, ConditionExpression=condition, **values),
        )
        return None if answer is None else _decoded(answer.get("Attributes", {}))

    async def _unless_refused(self, operation: str, **parameters: Any) -> Any:
        """The answer; None when the condition did not hold."""
        try:
            return await self.call(operation, **parameters)
        except Rejected as refusal:
            if refusal.code == f"{CONDITION_FAILED}Exception":
                return None
            raise


@asynccontextmanager
async def open_table(address: str, aws: AwsEndpoint) -> AsyncIterator[Table]:
    """Opens the table with this name, or with this ARN in the region that the ARN names."""
    async with open_client("dynamodb", aws.near(address)) as client:
        yield Table(client, address.rpartition("/")[2])


_EXPRESSIONS = ("FilterExpression", "ProjectionExpression")


async def side_by_side(
    work: Callable[[Given], Awaitable[Result]], given: Iterable[Given], at_once: int = 10
) -> list[Result]:
    """The results of `work` for each item, in order; at most `at_once` calls run at a time.

    Raises the first error.
    """
    todo = list(given)
    results, errors = dict[int, Result](), list[Exception]()
    limit = anyio.CapacityLimiter(at_once)

    async def one(index: int, each: Given) -> None:
        async with limit:
            try:
                results[index] = await work(each)
            except Exception as error:  # raised below, outside the task group that would wrap it
                errors.append(error)
                group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for index, each in enumerate(todo):
            group.start_soon(one, index, each)
    if errors:
        raise errors[0]
    return [results[index] for index in range(len(todo))]


async def first(found: AsyncGenerator[Item], most: int) -> list[Item]:
    """The first items of a query, at most `most`."""
    items: list[Item] = []
    async with aclosing(found):
        async for item in found:
            items.append(item)
            if len(items) == most:
                break
    return items


def _expressions(**parts: Any) -> dict[str, Any]:
    """The expressions (capitalized names), with the attributes and values that they use."""
    found = {name: part for name, part in parts.items() if name[0].isupper() and part}
    values = {f":{name}": encoded(part) for name, part in parts.items() if not name[0].isupper()}
    names = {f"#{name}": name for text in found.values() for name in re.findall(r"#(\w+)", text)}
    return {
        **found,
        **({"ExpressionAttributeNames": names} if names else {}),
        **({"ExpressionAttributeValues": values} if values else {}),
    }


def encoded(value: Any) -> dict[str, Any]:
    """A JSON value, bytes, or a set of whole numbers, in DynamoDB's form."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case str() | bytes():
            return {"S" if isinstance(value, str) else "B": value}
        case set():
            return {"NS": [str(number) for number in value]}
        case list() | tuple():
            return {"L": [encoded(each) for each in value]}
        case Mapping():
            return {"M": {str(name): encoded(each) for name, each in value.items()}}
    raise TypeError(f"{type(value).__name__} is no type of JSON")


def decoded(value: Value) -> Any:
    """The plain value of a value in DynamoDB's form; leaves values that JSON lacks unchanged."""
    ((kind, inner),) = value.items()
    match kind:
        case "NULL":
            return None
        case "N":
            return _number(inner)
        case "NS":
            return {int(number) for number in inner}
        case "L":
            return [decoded(each) for each in inner]
        case "M":
            return {name: decoded(each) for name, each in inner.items()}
    return inner


def _encoded(item: Mapping[str, Any]) -> dict[str, Any]:
    return {name: encoded(value) for name, value in item.items()}


def _decoded(item: Mapping[str, Value]) -> Item:
    return {name: decoded(value) for name, value in item.items()}


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)
