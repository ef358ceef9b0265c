"""What the console takes an answer of the scheduler, or of a proxy before it, for."""

import pytest
from starlette.responses import JSONResponse

from watchbot.console.scheduler import NoScheduler, ScheduleApi, SchedulerRefused
from watchbot.web import serving_app


@pytest.mark.parametrize(
    ("status", "surely_not_done"), [(404, True), (409, True), (500, False), (504, False)]
)
async def test_refusal_of_an_action_is_sure_only_where_no_server_failed(
    status: int, surely_not_done: bool
) -> None:
    app = JSONResponse({"message": "no"}, status)
    async with serving_app(app, "127.0.0.1", 0, "port") as url:
        with pytest.raises(NoScheduler, match=r": no$") as refusal:
            await ScheduleApi(url, None).act("nightly", "run")

    assert isinstance(refusal.value, SchedulerRefused) == surely_not_done
