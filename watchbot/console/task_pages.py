"""The ECS tasks that run or failed, and the page of one task, from the record."""

from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from watchbot.console.recorded import TaskLists
from watchbot.console.render import Renderer
from watchbot.console.sources import Sources
from watchbot.errors import DatabaseError
from watchbot.pages.site import asking

REFRESH_S = 10
NOTHING = TaskLists(running=(), failed=())


class TaskPages:
    """The routes of these pages."""

    def __init__(self, sources: Sources, renderer: Renderer) -> None:
        self._sources, self._renderer = sources, renderer

    def routes(self) -> list[Route]:
        return [
            Route("/tasks", asking(self.tasks)),
            Route("/tasks/{id}", asking(self.task)),
        ]

    async def tasks(self, request: Request) -> Response:
        record, lists, missing = self._sources.recorded, NOTHING, None
        if record is not None:
            try:
                lists = await record.lists()
            except DatabaseError as error:
                missing = str(error)
        return self._renderer.page(
            request,
            "tasks.html",
            refresh_s=REFRESH_S,
            lists=lists,
            logs={row["task_id"]: self._logs(row["task_id"]) for row in lists.failed},
            missing=missing,
            named=record is not None,
        )

    async def task(self, request: Request) -> Response:
        record, name = self._sources.recorded, request.path_params["id"]
        found = await record.task(name) if record is not None else None
        if found is None:
            raise HTTPException(404, "the record knows no such task")
        logs = self._logs(found.task["task_id"])
        return self._renderer.page(request, "task.html", found=found, task=found.task, logs=logs)

    def _logs(self, task_id: str) -> str | None:
        """The log streams of a task in AWS's console; None without --log-group and --region."""
        group, region = self._sources.settings.log_group, self._sources.settings.region
        if not (group and region):
            return None
        # AWS's console wants its fragment encoded twice, with $ for %.
        named, sought = (
            quote(quote(each, safe=""), safe="").replace("%", "$") for each in (group, task_id)
        )
        return (
            f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
            f"#logsV2:log-groups/log-group/{named}$3FlogStreamNameFilter$3D{sought}"
        )
