"""A table of DynamoDB: its items as plain values, and writes that are made on a condition."""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

import anyio

from watchbot.aws import Client
from watchbot.errors import Rejected

Item = dict[str, Any]
Value = Mapping[str, Any]
Write = dict[str, Any]  # a part of a transaction

Given = TypeVar("Given")
Result = TypeVar("Result")

CONDITION_FAILED = "ConditionalCheckFailed"  # of a part of a transaction, and with "Exception"


class Table:
    """One table. Every call raises `AwsError`.

    In expressions an attribute is written `#name`, since many of its words are reserved, and a
    value `:name`, given as `name=value`.
    """

    def __init__(self, client: Client, name: str) -> None:
        self.name = name
        self._client = client

    async def call(self, operation: str, **parameters: Any) -> Any:
        """The answer of one call, as boto gives it."""
        return await self._client.call(operation, **parameters)

    async def get(self, **key: str) -> Item:
        """The item as it is now; empty where there is none."""
        answer = await self.call(
            "get_item", TableName=self.name, Key=_encoded(key), ConsistentRead=True
        )
        return _decoded(answer.get("Item", {}))

    async def update(
        self, key: Mapping[str, str], text: str, condition: str | None = None, **values: Any
    ) -> Item | None:
        """The item as it is now; None when the condition did not hold, and nothing was changed."""
        return await self._update("ALL_NEW", key, text, condition, values)

    async def replace(
        self, key: Mapping[str, str], text: str, condition: str, **values: Any
    ) -> Item | None:
        """The same, but the item as it was before."""
        return await self._update("ALL_OLD", key, text, condition, values)

    async def delete(self, key: Mapping[str, str], condition: str, **values: Any) -> bool:
        """Whether the condition held, and the item is deleted."""
        answer = await self._unless_refused(
            "delete_item",
            TableName=self.name,
            Key=_encoded(key),
            **_expressions(ConditionExpression=condition, **values),
        )
        return answer is not None

    async def put(self, item: Mapping[str, Any], condition: str, **values: Any) -> bool:
        """Whether the condition held, and the item is stored."""
        answer = await self._unless_refused(
            "put_item",
            TableName=self.name,
            Item=_encoded(item),
            **_expressions(ConditionExpression=condition, **values),
        )
        return answer is not None

    def to_put(self, item: Mapping[str, Any], condition: str, **values: Any) -> Write:
        """The same, as a part of a transaction."""
        expressions = _expressions(ConditionExpression=condition, **values)
        return {"Put": {"TableName": self.name, "Item": _encoded(item), **expressions}}

    def to_update(self, key: Mapping[str, str], text: str, condition: str, **values: Any) -> Write:
        """An update, as a part of a transaction."""
        expressions = _expressions(UpdateExpression=text, ConditionExpression=condition, **values)
        return {"Update": {"TableName": self.name, "Key": _encoded(key), **expressions}}

    async def transact(self, writes: list[Write]) -> list[str]:
        """Writes all of them, at most 100, and gives no codes; or none, and of each its code.

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
        """The items of which the key is as `where` says, in its order.

        `asked` are values, and, in capitals, parameters of the call as AWS names them. Without
        an `IndexName` items are as they are now; in an index they may be late.
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
        """The answers of a query or a scan, one after the other until there is no more."""
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


_EXPRESSIONS = ("FilterExpression", "ProjectionExpression")


async def side_by_side(
    work: Callable[[Given], Awaitable[Result]], given: Iterable[Given], at_once: int = 10
) -> list[Result]:
    """What `work` makes of each, in order, some at a time; raises the first error as it is."""
    todo = list(given)
    results, errors = dict[int, Result](), list[Exception]()
    limit = anyio.CapacityLimiter(at_once)

    async def one(place: int, each: Given) -> None:
        async with limit:
            try:
                results[place] = await work(each)
            except Exception as error:  # raised below: out of the group it came in one
                errors.append(error)
                group.cancel_scope.cancel()

    async with anyio.create_task_group() as group:
        for place, each in enumerate(todo):
            group.start_soon(one, place, each)
    if errors:
        raise errors[0]
    return [results[place] for place in range(len(todo))]


def _expressions(**parts: Any) -> dict[str, Any]:
    """Expressions, in capitals, and the names and values that are in them."""
    found = {name: part for name, part in parts.items() if name[0].isupper() and part}
    values = {f":{name}": encoded(part) for name, part in parts.items() if not name[0].isupper()}
    names = {f"#{name}": name for text in found.values() for name in re.findall(r"#(\w+)", text)}
    return {
        **found,
        **({"ExpressionAttributeNames": names} if names else {}),
        **({"ExpressionAttributeValues": values} if values else {}),
    }


def encoded(value: Any) -> dict[str, Any]:
    """A value of JSON, or a set of whole numbers, as DynamoDB takes it."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | float():
            return {"N": repr(value)}
        case str():
            return {"S": value}
        case set():
            return {"NS": [str(number) for number in value]}
        case list() | tuple():
            return {"L": [encoded(each) for each in value]}
        case Mapping():
            return {"M": {str(name): encoded(each) for name, each in value.items()}}
    raise TypeError(f"{type(value).__name__} is no type of JSON")


def decoded(value: Value) -> Any:
    """A value as DynamoDB gave it; what no JSON holds is left as it is."""
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
