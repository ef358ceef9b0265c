"""Checks the container, its limits and the watcher's own times."""

from functools import partial

from watchbot.doctor.facts import Check, Facts, Finding, Level, Probe, error, ok, warning
from watchbot.settings.base import MAX_VARIABLE_BYTES
from watchbot.sqs.consumer import LAST_POLL_S, LEAVE_S

SLOW_CALL_S = 15  # the longest call to AWS, including the connection
LONG_LEASE_S = 3_600
MAX_EXEC_BYTES = 6_291_456  # Linux's limit for words and variables, for any stack limit
LARGE_VARIABLES = 2  # Message and MessageAttributes may have the full length
MAX_STOP_S = 120  # Fargate's limit
SHELLS = {"ash", "bash", "busybox", "dash", "sh"}


def lease(facts: Facts) -> Finding:
    timeout_s = facts.settings.visibility_timeout
    beat_s = timeout_s / 3
    what = f"visibility timeout {timeout_s} s, renewed every {beat_s:.3g} s"
    if timeout_s - beat_s <= 2 * SLOW_CALL_S:
        return warning(
            f"{what}: two slow calls lose a running message",
            f"set --visibility-timeout to {3 * SLOW_CALL_S + 1} or more",
        )
    if timeout_s > LONG_LEASE_S:
        return warning(
            f"{what}: the messages of a dead watcher wait this long",
            "lower --visibility-timeout, for example to 180; it does not limit jobs",
        )
    return ok(what)


def stop(facts: Facts) -> Finding:
    drain_s, stop_s = facts.settings.drain_timeout, facts.settings.stop_timeout
    what = f"drain timeout {drain_s:g} s, stop timeout {stop_s:g} s"
    if facts.machine.in_ecs:
        what = f"drain timeout {drain_s:g} s, ECS stopTimeout {stop_s:g} s (as --stop-timeout says)"
    if stop_s > MAX_STOP_S and facts.machine.in_ecs:
        return warning(
            f"{what}: Fargate gives {MAX_STOP_S} s at most", "plan for 120 s, or run on EC2"
        )
    needed_s = max(drain_s, LAST_POLL_S) + LEAVE_S
    if needed_s > stop_s:
        fits_s = stop_s - LEAVE_S
        shorter = f"set --drain-timeout to {fits_s:g}, or " if fits_s >= LAST_POLL_S else ""
        return error(
            f"{what}: the watcher is killed before it gives messages back",
            f"{shorter}raise the stop timeout to at least {needed_s:g}",
        )
    return ok(what)


def scratch(facts: Facts) -> Finding:
    trouble = facts.machine.scratch_trouble
    if trouble:
        return error(
            f"no temporary directory can be written to: {trouble}",
            "mount a volume or tmpfs at /tmp, or set TMPDIR",
        )
    return ok("the temporary directory is writable")


def stack(facts: Facts) -> Finding:
    machine = facts.machine
    # Linux allows a quarter of the stack for words and variables, but always one full variable.
    by_stack = MAX_EXEC_BYTES if machine.stack_bytes is None else machine.stack_bytes // 4
    room = min(max(by_stack, MAX_VARIABLE_BYTES), MAX_EXEC_BYTES)
    needed = machine.variables_bytes + LARGE_VARIABLES * MAX_VARIABLE_BYTES
    if needed > room:
        return warning(
            f"the stack limit leaves {room:,} bytes for variables: large messages come as a file",
            "raise the container's stack ulimit to 8 MiB, or read $MessageFile or standard input",
        )
    return ok(f"variables have {room:,} bytes; messages over 128 KiB come as a file")


def first_process(facts: Facts) -> Finding | None:
    machine = facts.machine
    if machine.own_pid == 1:
        return ok("runs as PID 1, as the watcher may: it reaps orphans")
    if machine.first_process is None:
        return None
    if machine.first_process in SHELLS:
        return warning(
            f"PID 1 is a shell ({machine.first_process}), which does not pass on SIGTERM",
            'use the exec form, ENTRYPOINT ["watchbot", ...], or `exec watchbot`',
        )
    return ok(f"PID 1 is {machine.first_process}")


def misspelt(facts: Facts) -> Finding | None:
    if not facts.unknown_variables:
        return None
    names = ", ".join(unknown.name for unknown in facts.unknown_variables)
    advice = [f"{unknown.name}: {unknown.advice}" for unknown in facts.unknown_variables]
    return warning(f"no option is set by {names}", "; ".join(advice))


def permission(facts: Facts, *, probe: Probe, level: Level, loss: str) -> Finding | None:
    if probe not in facts.answers or facts.missing(probe):
        return None
    refusal = facts.answers[probe]
    if refusal is None:
        # A weaker finding, because AWS may check the request before the permission.
        return ok(f"{probe} is not denied")
    if not facts.denied(probe):
        return Finding(
            level=level, what=f"{probe} cannot be tried: {refusal.code}", fix=refusal.hint
        )
    return Finding(
        level=level,
        what=f"{probe} is denied: {loss}",
        fix="check the credentials, and allow it in the role's IAM policy",
    )


_PERMISSIONS = (
    (Probe.READ_QUEUE, Level.WARNING, "watchbot skipped most checks of the queue"),
    (Probe.READ_TAGS, Level.WARNING, "`watchbot pause` does not reach the watcher"),
    (Probe.READ_DEAD_LETTERS, Level.WARNING, "watchbot skipped the checks of that queue"),
    (Probe.RECEIVE, Level.ERROR, "the watcher receives no message"),
    (Probe.DELETE, Level.ERROR, "SQS delivers completed messages again"),
    (Probe.HIDE, Level.ERROR, "SQS delivers a message again while it runs"),
    (Probe.BURY, Level.ERROR, "--max-attempts cannot move messages"),
    (Probe.READ_TOPIC, Level.WARNING, "watchbot did not check the subscriptions"),
    (Probe.NOTIFY, Level.ERROR, "nobody gets notices of failures"),
)

CHECKS: tuple[Check, ...] = (
    *(
        partial(permission, probe=probe, level=level, loss=loss)
        for probe, level, loss in _PERMISSIONS
    ),
    lease,
    stop,
    scratch,
    stack,
    first_process,
    misspelt,
)
