"""Opens the observers of a watcher, by its settings, in the order in which they hear."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio

from watchbot.aws import open_client
from watchbot.failures.opening import open_failures
from watchbot.listen import agent, environment
from watchbot.listen.breaker import Breaker
from watchbot.listen.failures import Failures
from watchbot.listen.keeping import FailureKeeper
from watchbot.listen.lines import Lines
from watchbot.listen.notices import Notices
from watchbot.listen.notify import Notifier
from watchbot.listen.observers import Observer
from watchbot.listen.recent import Recent
from watchbot.listen.tracing import tracing
from watchbot.settings.listen import ListenSettings
from watchbot.sqs.valve import Valve
from watchbot.web import Pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The observers, the breaker among them, and the `pages` of JSON on what they heard."""

    observers: Sequence[Observer]
    breaker: Breaker
    pages: Pages
    notifier: Notifier | None

    def hurry(self, left_s: Callable[[], float]) -> None:
        """Tells the notifier how to learn how long the container lives on."""
        if self.notifier is not None:
            self.notifier.hurry(left_s)


async def open_observers(house: AsyncExitStack, settings: ListenSettings, valve: Valve) -> Heard:
    """Opens the observers; `house` closes them."""
    container = await _container(settings)
    notifier = await _open_notifier(house, settings, container)
    breaker, failures = Breaker(settings.breaker, valve), Failures()
    recent = Recent(output=settings.show_output)
    observers: list[Observer] = [Lines(), breaker, failures, recent]
    if notifier is not None:
        observers.append(Notices(notifier, breaker))
    observers += await _open_spans(house, settings)
    observers += await _open_keeper(house, settings, container)
    pages = {"/failures": failures.page, "/v1/runs": recent.page}
    return Heard(observers=observers, breaker=breaker, pages=pages, notifier=notifier)


async def _container(settings: ListenSettings) -> Mapping[str, str]:
    """Facts by which a person finds this container, where somebody is to be told of them."""
    if settings.notification_topic is None and settings.failures is None:
        return {}
    return await agent.this_container(settings.ecs_metadata_uri)


async def _open_notifier(
    house: AsyncExitStack, settings: ListenSettings, container: Mapping[str, str]
) -> Notifier | None:
    if settings.notification_topic is None:
        return None
    aws = settings.aws.near(settings.notification_topic)
    sns = await house.enter_async_context(open_client("sns", aws, attempts=1))
    notifier = Notifier(sns, settings.notification_topic, environment.stack_name(), container)
    publishing = await house.enter_async_context(anyio.create_task_group())
    publishing.start_soon(notifier.run)
    house.callback(publishing.cancel_scope.cancel)
    house.push_async_callback(notifier.close)
    return notifier


async def _open_spans(house: AsyncExitStack, settings: ListenSettings) -> list[Observer]:
    if not settings.sends_traces:
        return []
    spans = await house.enter_async_context(tracing())
    return [] if spans is None else [spans]


async def _open_keeper(
    house: AsyncExitStack, settings: ListenSettings, container: Mapping[str, str]
) -> list[Observer]:
    if settings.failures is None:
        return []
    store = await house.enter_async_context(open_failures(settings.failures, settings.aws))
    keeper = FailureKeeper(store, container, output=not settings.no_output)
    keeping = await house.enter_async_context(anyio.create_task_group())
    keeping.start_soon(keeper.run)
    house.callback(keeping.cancel_scope.cancel)
    house.push_async_callback(keeper.close)
    return [keeper]
