"""Opens the talk with each Lambda runtime, by the settings."""

from collections.abc import Mapping

from watchbot.listen import environment
from watchbot.listen.functions import variables
from watchbot.listen.functions.dialogue import LambdaDialogue, Limits
from watchbot.listen.functions.event import EventSource
from watchbot.listen.functions.http import Server
from watchbot.listen.functions.runtime_api import RuntimeApi
from watchbot.listen.functions.variables import Function
from watchbot.settings.listen import ListenSettings
from watchbot.settings.whereabouts import queue_name


class LambdaOpener:
    """An `Opener` of `LambdaDialogue`s. `base` is the environment that a process gets."""

    def __init__(self, function: Function, limits: Limits, base: Mapping[bytes, bytes]) -> None:
        self._function, self._limits, self._base = function, limits, base

    async def __call__(self, worker: int, scratch: str) -> LambdaDialogue:
        api = RuntimeApi(worker=worker, concurrent=variables.concurrent(self._base))
        server = Server(api)
        address = await server.open()
        dialogue = LambdaDialogue(api, server, self._function, self._limits)
        dialogue.variables = variables.of_function(
            self._base, self._function, api=address, worker=worker
        )
        return dialogue


def opener(settings: ListenSettings, base: Mapping[bytes, bytes]) -> LambdaOpener:
    """What opens the talks that these settings ask for."""
    default_region = _text(base, b"AWS_REGION") or "us-east-1"
    regions = {each.url: settings.aws.near(each.url).region for each in settings.queues}
    sources = {
        url: EventSource.at(url, region or default_region) for url, region in regions.items()
    }
    first = settings.queues[0].url
    own_name = environment.stack_name() or queue_name(first).removesuffix(".fifo")
    function = Function(
        name=_text(base, b"AWS_LAMBDA_FUNCTION_NAME") or own_name,
        handler=settings.handler,
        source=sources[first],
        sources=sources,
        memory_mb=variables.memory_mb(),
        structured=settings.structured_logging,
    )
    limits = Limits(event_bytes=settings.max_event, start_s=settings.start_timeout)
    return LambdaOpener(function, limits, base)


def _text(base: Mapping[bytes, bytes], name: bytes) -> str:
    return base.get(name, b"").decode(errors="replace")
