"""A Home Assistant in which automations may wait."""

import asyncio
from typing import Any, override

from tests import conftest


class House(conftest.House):
    """A House that has settled when all that is left is an automation that waits."""

    @override
    async def settled(self) -> None:
        asked = -1
        while True:
            silent = await self._until_time_limit()
            await self.sent()
            tasks = self.hass._tasks | self.hass._background_tasks
            if working := [task for task in tasks if not _may_wait(task)]:
                if not silent:
                    await asyncio.wait(working)
                continue
            requests = [request for server in self.servers for request in server.requests]
            answered = silent or all(r.status or "websocket" in r.path for r in requests)
            if answered and len(requests) == asked:
                return
            asked = len(requests)


def _may_wait(task: asyncio.Future[Any]) -> bool:
    """Tell whether a task is a stream, an automation, or an action that one waits for."""
    if not isinstance(task, asyncio.Task):
        return False
    what = getattr(task.get_coro(), "__qualname__", "")
    return conftest._is_stream(task) or what in (
        "AutomationEntity._async_trigger_if_enabled",
        "Script.async_run",
        "ServiceRegistry.async_call",
    )
