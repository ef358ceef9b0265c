"""A client of DynamoDB that breaks down as a test asks for."""

from typing import Any

from watchbot.aws import Client
from watchbot.errors import NotFound, Rejected, Unreachable


class Wire:
    """A client between a store and DynamoDB: counts, repeats old answers, breaks down."""

    service = "dynamodb"

    def __init__(self, client: Client) -> None:
        self._client = client
        self.calls: list[str] = []
        self.late = False  # the index is as it was at the last look
        self.errors: list[Exception] = []  # of the next calls that write
        self.lost = 0  # so many answers of writes do not arrive
        self.date: str | None = None  # that the server puts on its answers, if not its own
        self.unknown = 0  # so many looks at the table do not find it
        self.making = 0  # so many looks at the table still see it being made
        self._seen: dict[str, Any] = {}

    async def call(self, operation: str, **given: Any) -> Any:
        self.calls.append(operation)
        if operation == "query" and "IndexName" in given:
            return await self._look(given)
        writes = operation != "get_item" and operation != "query"
        if writes and self.errors:
            raise self.errors.pop(0)
        answer = await self._client.call(operation, **given)
        if self.date:
            answer["ResponseMetadata"]["HTTPHeaders"]["date"] = self.date
        if operation == "describe_table" and self.making:
            self.making -= 1
            answer["Table"]["TableStatus"] = "CREATING"
        if operation == "describe_table" and self.unknown:
            self.unknown -= 1
            raise NotFound(service="D", operation=operation, code="ResourceNotFound", text="no")
        if writes and self.lost:
            self.lost -= 1
            raise Unreachable(service="D", operation=operation, code="ReadTimeout", text="lost")
        return answer

    async def _look(self, given: dict[str, Any]) -> Any:
        work = given["ExpressionAttributeValues"][":work"]["S"]
        if not self.late or work not in self._seen:
            self._seen[work] = await self._client.call("query", **given)
        return self._seen[work]


class Plain(Wire):
    """A server that has no transactions."""

    async def call(self, operation: str, **given: Any) -> Any:
        if operation == "transact_write_items":
            unknown = "UnknownOperationException"
            raise Rejected(service="D", operation=operation, code=unknown, text="")
        return await super().call(operation, **given)
