"""Which runner the settings ask for, and all that it needs."""

from collections.abc import Mapping
from contextlib import AsyncExitStack

from watchbot.lifecycle import Stop
from watchbot.listen import environment
from watchbot.listen.ends import Ends
from watchbot.listen.runner import Runner
from watchbot.listen.spawn import Command
from watchbot.listen.spawning import SpawnRunner
from watchbot.listen.warm.cold import ColdRunner
from watchbot.listen.warm.dialogue import Opener
from watchbot.listen.warm.line_dialogue import LineTalk, LineTerms
from watchbot.listen.warm.pool import Recycling, WarmRunner, keeping
from watchbot.listen.warm.shop import Shop
from watchbot.listen.workspace import Workspace
from watchbot.settings.listen import ListenSettings
from watchbot.world import REAL

MIB = 1_048_576
EXPECTS = {
    "lines": (
        "a worker of --warm lines reads messages until its input ends, and answers each with a line"
        " on descriptor 3"
    ),
    "lambda": "a worker of --warm lambda is a Lambda runtime: it asks for events until it is ended",
    "off": "",
}


async def open_runner(
    house: AsyncExitStack,
    settings: ListenSettings,
    command: Command,
    workspace: Workspace,
    ends: Ends,
) -> Runner:
    """The runner for these settings; what it keeps open is closed with `house`."""
    if settings.warm == "off" and settings.batch_size == 1:
        return SpawnRunner(settings, command, workspace, ends)
    base = environment.base_environment(
        structured=settings.structured_logging,
        credentials=not settings.no_worker_credentials,
        queue_url=settings.queues[0].url if len(settings.queues) == 1 else None,
    )
    shop = Shop(
        settings=settings,
        command=command,
        base=base,
        ends=ends,
        open_dialogue=_opener(settings, base),
        world=REAL,
        stays=settings.warm != "off",
        expects=EXPECTS[settings.warm],
    )
    if not shop.stays:
        return ColdRunner(shop, workspace)
    recycling = Recycling(
        after_runs=settings.recycle_after, memory_bytes=settings.recycle_memory * MIB
    )
    return await house.enter_async_context(keeping(shop, workspace, settings.slots, recycling))


async def start(runner: Runner, stop: Stop) -> None:
    """Starts what the runner keeps running. Raises `UsageError`, in a group, if that cannot work.

    Returns at once after a stop.
    """
    if isinstance(runner, WarmRunner):
        await runner.start(stop)


def _opener(settings: ListenSettings, base: Mapping[bytes, bytes]) -> Opener:
    if settings.warm == "lambda":
        from watchbot.listen.functions.opening import opener  # its server is for nobody else

        return opener(settings, base)
    return LineTalk(_line_terms(settings))


def _line_terms(settings: ListenSettings) -> LineTerms:
    return LineTerms(
        variables={
            "WATCHBOT_BATCH": str(settings.batch_size),
            "WATCHBOT_REJECT_CODES": settings.reject_codes,
            "WATCHBOT_RETURN_CODES": settings.return_codes,
        },
        max_line=settings.max_line,
        stays=settings.warm != "off",
    )
