"""A job that a table declares, and that the API is asked to delete."""

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from tests.support.house import a_house, a_job
from watchbot.schedule.http.rest import JobRules, Rest
from watchbot.schedule.store.declared import source_of


def delete(job_id: str) -> Request:
    scope = {"type": "http", "method": "DELETE", "path": "", "query_string": b"", "headers": []}
    return Request({**scope, "path_params": {"job_id": job_id}})


async def test_job_of_a_stack_is_not_deleted_and_it_is_said_where_it_is_declared(
    place: str,
) -> None:
    followed = source_of("stacks")
    async with a_house(place, a_job("own")) as house:
        await house.jobs.add(a_job("declared"), source=followed)
        rest = Rest(house.store, lambda: None, JobRules(followed=followed))

        with pytest.raises(HTTPException, match="in the table stacks") as refused:
            await rest.delete(delete("declared"))
        await rest.delete(delete("own"))

        assert refused.value.status_code == 409
        assert await house.jobs.find("declared")
        assert await house.jobs.find("own") is None
        # No more followed: nobody would bring it back.
        await Rest(house.store, lambda: None).delete(delete("declared"))
        assert await house.jobs.find("declared") is None
