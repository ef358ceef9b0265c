"""Asks the ECS agent for scale-in protection of this task while it works.

Protection guards against scale-in and deployments only: a reclaimed spot instance and a StopTask
still end the task. Errors of this module are logged, and never disturb a run.
"""

import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio

from watchbot.aws import retry_pause
from watchbot.listen import agent
from watchbot.listen.agent import AgentAnswer, Ask
from watchbot.world import REAL, World

PATH = "/task-protection/v1/state"
NOT_OF_A_SERVICE = "TASK_NOT_VALID"  # a lasting refusal: ECS protects only tasks of a service
LEAST_CALL_S = 0.25  # the agent is on this machine
DEPLOYMENT_BLOCKED = "DEPLOYMENT_BLOCKED"  # more protected tasks than the service wants tasks

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Intervals and limits of the calls. Only tests need other values."""

    expires_min: int = 60  # how long a killed watcher may delay a deployment; ECS takes 1 to 2,880
    renew_s: float = 1_800  # leaves half an hour for retries of a failed renewal
    idle_s: float = 5  # ECS throttles the call per account, so short gaps are not reported
    call_s: float = 2
    log_s: float = 60
    retry: Callable[[int], float] | None = None  # seconds after a number of failures in a row


PACE = Pace()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRefusal:
    """The reason why the agent, or ECS behind it, refused a request."""

    code: str
    text: str
    known: bool = True  # False: ECS may have done it without an answer


@asynccontextmanager
async def protecting(
    agent_uri: str,
    deployment_blocked: Callable[[], None],
    pace: Pace = PACE,
    world: World = REAL,
    ask: Ask = agent.ask,
) -> AsyncIterator["Protection"]:
    """Opens a protection that follows `busy` and `idle`; leaving ends it.

    Calls `deployment_blocked` at most once, from the event loop; it must not raise.
    """
    protection = Protection(agent_uri, deployment_blocked, pace, world, ask)
    try:
        async with anyio.create_task_group() as following:
            following.start_soon(protection.run)
            try:
                yield protection
            finally:
                following.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):  # bounded by `call_s`
            await protection.take_off()


class Protection:
    """Tells ECS whether this task works. `busy` and `idle` return at once; `run` calls ECS."""

    def __init__(
        self,
        agent_uri: str,
        deployment_blocked: Callable[[], None],
        pace: Pace = PACE,
        world: World = REAL,
        ask: Ask = agent.ask,
    ) -> None:
        self._world, self._now, self._call = world, world.now, ask
        self._agent_uri, self._deployment_blocked, self._pace = agent_uri, deployment_blocked, pace
        self._call_s = pace.call_s
        self._busy = False
        self._told: bool | None = False  # None: a call had no answer, so the state is unknown
        self._idle_since = self._told_at = self._quiet_until = -math.inf
        self._changed = anyio.Event()
        self._hinted = self._given_up = False

    def busy(self) -> None:
        """Asks for protection, from now until `idle`."""
        self._busy = True
        self._changed.set()

    def idle(self) -> None:
        """Asks for the end of protection, unless `busy` is called again within a few seconds."""
        if self._busy:
            self._busy, self._idle_since = False, self._now()
            self._changed.set()

    async def run(self) -> None:
        """Tells the agent of every lasting change; ends only when ECS refuses for good."""
        failures = 0
        while not self._given_up:
            self._changed = anyio.Event()
            due_s = self._due_s()
            if due_s > 0:
                with anyio.move_on_after(due_s):
                    await self._changed.wait()
            elif await self._set_protection(self._busy):
                failures = 0
            else:
                failures += 1
                # `busy` and `idle` do not shorten this pause: the agent is in trouble.
                await anyio.sleep(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        if self._pace.retry is not None:
            return self._pace.retry(failures)
        return retry_pause(failures, chance=self._world.chance)

    def hurry(self, seconds: float) -> None:
        """Gives each further call at most `seconds`, and at least a quarter of a second."""
        self._call_s = min(self._pace.call_s, max(LEAST_CALL_S, seconds))

    async def take_off(self) -> None:
        """Asks ECS once to end the protection, if there may be one."""
        if self._told is not False and not self._given_up:
            await self._set_protection(False)

    def _due_s(self) -> float:
        """Seconds until the next call to the agent, if neither `busy` nor `idle` comes before."""
        if self._busy:
            return self._told_at + self._pace.renew_s - self._now() if self._told else 0
        if self._told is False:
            return math.inf
        return self._idle_since + self._pace.idle_s - self._now()

    async def _set_protection(self, protect: bool) -> bool:
        before, asked_at = self._told, self._now()
        self._told = None  # a cancelled request may still reach ECS
        refusal = await self._ask(protect)
        if refusal is None:
            self._told, self._told_at = protect, asked_at
            return True
        if refusal.known:
            self._told = before
        self._heed(refusal, protect)
        return False

    async def _ask(self, protect: bool) -> AgentRefusal | None:
        request: dict[str, object] = {"ProtectionEnabled": protect}
        if protect:
            request["ExpiresInMinutes"] = self._pace.expires_min
        url = self._agent_uri.rstrip("/") + PATH
        try:
            return _refusal(await self._call("PUT", url, request, within_s=self._call_s))
        except OSError as error:
            return AgentRefusal(code="NoAnswer", text=str(error), known=False)

    def _heed(self, refusal: AgentRefusal, protect: bool) -> None:
        facts = {"code": refusal.code, "reason": refusal.text, "protect": protect}
        if refusal.code == NOT_OF_A_SERVICE:
            self._given_up = True
            log.warning("task protection given up: only a service's tasks have it", extra=facts)
            return
        if self._now() >= self._quiet_until:
            self._quiet_until = self._now() + self._pace.log_s
            log.warning("task protection failed", extra=facts)
        if refusal.code == DEPLOYMENT_BLOCKED and not self._hinted:
            self._hinted = True
            self._deployment_blocked()


def _refusal(answer: AgentAnswer) -> AgentRefusal | None:
    """The refusal in the agent's answer, or None when ECS did as asked."""
    # `failure` is an answer of ECS about this task; `error` means that ECS gave no answer.
    fault = answer.content.get("failure") or answer.content.get("error")
    if answer.content and answer.status < 300 and not fault:
        return None
    facts = fault if isinstance(fault, dict) else {}
    return AgentRefusal(
        code=str(facts.get("Reason") or facts.get("Code") or f"HTTP {answer.status}"),
        text=str(facts.get("Detail") or facts.get("Message") or "no reason given"),
        # A 4xx refuses the request for certain. Below 500, a JSON object comes from the agent.
        known=400 <= answer.status < 500 or bool(answer.content and answer.status < 500),
    )
