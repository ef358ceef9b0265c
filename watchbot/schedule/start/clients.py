"""Opens AWS clients on first use, one for each service and region."""

from contextlib import AsyncExitStack
from types import TracebackType

import anyio

from watchbot.aws import Client, open_client
from watchbot.errors import Rejected
from watchbot.schedule.job.endpoints import Endpoints
from watchbot.settings.base import AwsEndpoint


class Clients:
    """A context that closes all its clients on leaving."""

    def __init__(
        self, aws: AwsEndpoint, connections: int, endpoints: Endpoints | None = None
    ) -> None:
        self._aws, self._connections = aws, connections
        self.endpoints = endpoints or Endpoints(aws)
        self._open: dict[tuple[str, AwsEndpoint], Client] = {}
        self._opening = anyio.Lock()
        self._house = AsyncExitStack()

    async def __aenter__(self) -> "Clients":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._house.aclose()

    async def near(self, service: str, address: str = "") -> Client:
        """A client of `service` in the region that an ARN or a queue URL names.

        The client tries each call once, because the caller knows which calls it may repeat. Raises
        `NotConfigured`, and `Rejected` for a server that jobs may not name.
        """
        problem = self.endpoints.refusal(address) if address.lower().startswith("http") else None
        if problem:
            raise Rejected(
                service=service.upper(), operation="client", code="NotAllowed", text=problem
            )
        key = (service, self._aws.near(address))
        async with self._opening:
            if key not in self._open:
                self._open[key] = await self._house.enter_async_context(
                    open_client(service, key[1], attempts=1, connections=self._connections)
                )
            return self._open[key]
