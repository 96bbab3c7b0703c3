"""A program on the stock Microsoft Agent Framework client, as a process of its own. Started by its test.

Arguments: the gateway URL. Environment: AGENT_KEY, AGENT_USER. Reads one JSON object a line, {"streaming": …,
"session": …}, and answers each with one, {"text": what its user sees} or {"error": …}. Calls of one session
are one conversation.
"""

import asyncio
import json
import os
import sys

import httpx
from a2a.client import A2ACardResolver
from agent_framework import AgentSession
from agent_framework.a2a import A2AAgent

QUESTION = "Which pull requests wait for me?"


async def main(url: str) -> None:
    headers = {"Authorization": f"Bearer {os.environ['AGENT_KEY']}", "x-ms-user-identity": os.environ["AGENT_USER"]}
    sessions: dict[str, AgentSession] = {}
    async with httpx.AsyncClient(headers=headers, timeout=20) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        agent = A2AAgent(agent_card=card, http_client=http)
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked = json.loads(line)
            session = sessions.setdefault(asked["session"], AgentSession())
            print(json.dumps(await answer(agent, session, streaming=asked["streaming"])), flush=True)


async def answer(agent: A2AAgent, session: AgentSession, *, streaming: bool) -> dict[str, str]:
    try:
        if not streaming:
            return {"text": (await agent.run(QUESTION, session=session)).text}
        return {"text": "".join([update.text async for update in agent.run(QUESTION, stream=True, session=session)])}
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
