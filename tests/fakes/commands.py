"""What the fake agent does with a message: its first word is a command, the rest its argument."""

import asyncio
import base64
from urllib.parse import quote

from a2a.helpers import new_task_from_user_message, new_text_message
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import Part

STREAM_PAUSE = 0.01  # seconds between two events of "stream N"
FOREVER_PAUSE = 0.02
FOREVER_LIMIT = 60  # seconds; a test that forgot about its stream does not burn a core all night


class CommandExecutor(AgentExecutor):
    """The commands are this class's `do_…` methods; a message without one is a "task"."""

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        if context.current_task is not None:
            await self._go_on(context, event_queue)
            return
        word, _, rest = context.get_user_input().partition(" ")
        if word in ("echo", "leak-message"):
            await self._answer_without_task(word, rest, context, event_queue)
            return
        await event_queue.enqueue_event(new_task_from_user_message(context.message))
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        command = getattr(self, f"do_{word}", self.do_task)
        await command(updater, rest, context)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        await TaskUpdater(event_queue, context.task_id, context.context_id).cancel()

    async def _answer_without_task(self, word, rest, context, event_queue) -> None:
        text = rest if word == "echo" else leaked(context)
        await event_queue.enqueue_event(new_text_message(text, context_id=context.context_id))

    async def _go_on(self, context: RequestContext, event_queue: EventQueue) -> None:
        """A further message on a task that waits for input or for authorization completes it."""
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await _complete(updater, f"You added: {context.get_user_input()}")

    async def do_task(self, updater: TaskUpdater, rest: str, context: RequestContext) -> None:
        await updater.start_work()
        await _complete(updater, rest or "done")

    async def do_leak(self, updater: TaskUpdater, rest: str, context: RequestContext) -> None:
        await _complete(updater, leaked(context))

    async def do_input(self, updater: TaskUpdater, rest: str, context: RequestContext) -> None:
        await updater.requires_input(new_text_message("Which one?"))

    async def do_auth(self, updater: TaskUpdater, rest: str, context: RequestContext) -> None:
        await updater.requires_auth(new_text_message("Sign in at the endpoint itself."))

    async def do_fail(self, updater: TaskUpdater, rest: str, context: RequestContext) -> None:
        await updater.failed(new_text_message("That did not work."))

    async def do_slow(self, updater: TaskUpdater, rest: str, context: RequestContext) -> None:
        await updater.start_work()
        await asyncio.sleep(float(rest or 1))
        await _complete(updater, "slowly done")

    async def do_stream(self, updater: TaskUpdater, rest: str, context: RequestContext) -> None:
        """N artifact chunks "1 " … "N ", between the task, a working status and the completed one."""
        await updater.start_work()
        for number in range(1, int(rest or 3) + 1):
            await updater.add_artifact([Part(text=f"{number} ")], artifact_id="count", append=number > 1)
            await asyncio.sleep(STREAM_PAUSE)
        await updater.complete()

    async def do_forever(self, updater: TaskUpdater, rest: str, context: RequestContext) -> None:
        for number in range(int(FOREVER_LIMIT / FOREVER_PAUSE)):
            await updater.start_work(new_text_message(f"still working, {number}"))
            await asyncio.sleep(FOREVER_PAUSE)


async def _complete(updater: TaskUpdater, text: str) -> None:
    await updater.add_artifact([Part(text=text)], artifact_id="answer")
    await updater.complete()


def leaked(context: RequestContext) -> str:
    """Every header value that came, as it is, in base64 (both alphabets) and percent-encoded (T09)."""
    pairs = context.call_context.state["header_pairs"]
    return "\n".join(f"{name}: {' '.join(spellings(value))}" for name, value in pairs)


def spellings(value: str) -> list[str]:
    """The ways an endpoint may repeat `value`."""
    raw = value.encode("latin-1")
    return [
        value,
        base64.b64encode(raw).decode(),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        quote(value, safe=""),
    ]
