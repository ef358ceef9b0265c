"""Tells what runs now, for `/v1/workers`: figures, and no text of a message."""

import anyio

from watchbot.listen.ends import AtWork, Ends


def at_work(ends: Ends) -> dict[str, list[dict[str, object]]]:
    """The runs under way, the oldest first: their messages, age in seconds, and progress."""
    running = [_run(ends, each) for each in ends.at_work.values() if each.jobs()]
    running.sort(key=lambda run: -float(str(run["age_s"] or 0)))
    return {"running": running}


def _run(ends: Ends, at_work: AtWork) -> dict[str, object]:
    jobs, limit = at_work.jobs(), at_work.limit()
    told = {job.message.id: job.asks.progress for job in jobs if job.asks.progress is not None}
    return {
        "message_ids": [job.message.id for job in jobs],
        "queue": jobs[0].message.queue,
        "receives": max(job.message.receives for job in jobs),
        "age_s": None if limit is None else round(anyio.current_time() - limit.began, 1),
        "left_s": round(ends.left_s(limit), 1),
        "progress": told,
    }
