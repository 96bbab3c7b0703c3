"""How a demo agent works through a message: a task that reports its steps, then an artifact."""

import asyncio
import re
from collections.abc import Callable

from a2a.helpers import new_task_from_user_message, new_text_message
from a2a.server.agent_execution import AgentExecutor, RequestContext
from a2a.server.events import EventQueue
from a2a.server.tasks import TaskUpdater
from a2a.types import Message, Part

from demo.answers import Answer

PAUSE = 0.15  # seconds between two events: long enough to see a stream move, short enough not to wait for
SLOW_STEPS = 8  # events of a "slow" message, one each half second


class DemoExecutor(AgentExecutor):
    """Answers with `answer(question)`; "slow" in a message takes four seconds, "fail" ends in a failure."""

    def __init__(self, answer: Callable[[str], Answer], step: str) -> None:
        self._answer = answer
        self._step = step

    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        if context.current_task is None:
            await event_queue.enqueue_event(new_task_from_user_message(context.message))
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        question = context.get_user_input()
        await self._report(updater, self._step)
        if re.search(r"\bslow\b", question, re.IGNORECASE):
            await self._work_slowly(updater)
        await asyncio.sleep(PAUSE)
        if re.search(r"\bfail\b", question, re.IGNORECASE):
            await updater.failed(self._says(updater, "That did not work, because you asked for a failure."))
        else:
            await self._finish(updater, self.answer_to(question, context))

    def answer_to(self, question: str, context: RequestContext) -> Answer:
        """What to say; `context` tells who asks, for an agent that cares."""
        return self._answer(question)

    async def cancel(self, context: RequestContext, event_queue: EventQueue) -> None:
        updater = TaskUpdater(event_queue, context.task_id, context.context_id)
        await updater.cancel(self._says(updater, "Stopped, as you asked."))

    async def _work_slowly(self, updater: TaskUpdater) -> None:
        for step in range(1, SLOW_STEPS + 1):
            await asyncio.sleep(0.5)
            await self._report(updater, f"{self._step} ({step} of {SLOW_STEPS})")

    async def _finish(self, updater: TaskUpdater, answer: Answer) -> None:
        if answer.needs_input:
            await updater.requires_input(self._says(updater, answer.text))
            return
        await self._write(updater, answer)
        await updater.complete()

    async def _write(self, updater: TaskUpdater, answer: Answer) -> None:
        """Send one artifact in two chunks, as an agent that writes while it thinks would."""
        await updater.add_artifact([Part(text=answer.text)], artifact_id="answer", name="Answer")
        await asyncio.sleep(PAUSE)
        await updater.add_artifact(
            [Part(text=answer.source)], artifact_id="answer", name="Answer", append=True, last_chunk=True
        )

    async def _report(self, updater: TaskUpdater, text: str) -> None:
        await updater.start_work(self._says(updater, text))

    @staticmethod
    def _says(updater: TaskUpdater, text: str) -> Message:
        return new_text_message(text, context_id=updater.context_id, task_id=updater.task_id)
