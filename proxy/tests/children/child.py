"""What every part of the legacy child shares: the server, its state, and how it speaks.

`tools.py` offers tools through the decorator here; `legacy.py` adds the lists,
the prompts and the resources, and runs the server.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import mcp.types as types
from mcp.server.lowlevel import Server
from mcp.server.session import ServerSession
from mcp.shared.message import ServerMessageMetadata
from pydantic import AnyUrl

import schemas

LEVELS: list[types.LoggingLevel] = [
    "debug",
    "info",
    "notice",
    "warning",
    "error",
    "critical",
    "alert",
    "emergency",
]

Content = list[types.ContentBlock]
Run = Callable[[dict[str, str]], Awaitable[Content]]
Answer = TypeVar("Answer", types.ElicitResult, types.CreateMessageResult, types.ListRootsResult)

server = Server("legacy-child", version="1.0.0", instructions="The child of the conformance runs.")


@dataclass
class State:
    """What one client of this process has asked for so far."""

    level: str = "info"
    extra_tool: bool = False
    extra_prompt: bool = False
    cancelled: int = 0


state = State()


@dataclass(frozen=True)
class Offer:
    """A tool: how it is listed and what it does."""

    description: str
    schema: schemas.Schema
    run: Run


TOOLS: dict[str, Offer] = {}


def tool(description: str, schema: schemas.Schema = schemas.NOTHING) -> Callable[[Run], Run]:
    """Offers the function below under its own name."""

    def offer(run: Run) -> Run:
        TOOLS[run.__name__] = Offer(description, schema, run)
        return run

    return offer


def session() -> ServerSession:
    return server.request_context.session


def text(value: str) -> Content:
    return [types.TextContent(type="text", text=value)]


def image() -> types.ImageContent:
    return types.ImageContent(type="image", data=schemas.PNG, mimeType="image/png")


def embedded(uri: str, mime: str, value: str) -> types.EmbeddedResource:
    body = types.TextResourceContents(uri=AnyUrl(uri), mimeType=mime, text=value)
    return types.EmbeddedResource(type="resource", resource=body)


async def log(message: str, level: types.LoggingLevel = "info") -> None:
    """Sends a log line of the current call, if the client wants this level."""
    if LEVELS.index(level) >= LEVELS.index(state.level):
        await session().send_log_message(
            level=level, data=message, logger="child", related_request_id=call_id()
        )


def call_id() -> types.RequestId:
    return server.request_context.request_id


async def progress(done: float, total: float) -> None:
    """Sends progress of the current call, if the client gave it a token."""
    meta = server.request_context.meta
    if meta is not None and meta.progressToken is not None:
        await session().send_progress_notification(
            meta.progressToken, done, total, f"{done:g} of {total:g}", str(call_id())
        )


async def ask(kind: type[Answer], question: types.ServerRequestType) -> Answer:
    """Asks the client in the middle of the current call and waits for its answer."""
    belongs = ServerMessageMetadata(related_request_id=call_id())
    return await session().send_request(types.ServerRequest(question), kind, metadata=belongs)


async def ask_person(
    message: str, schema: schemas.Schema, key: str | None = None
) -> types.ElicitResult:
    """Asks with a form, under a key of our choice if there is one.

    A proxy that turns questions into rounds of `input_required` has to name them, and nothing in
    a legacy question spells a name. Everybody else sees an unknown member and ignores it.
    """
    params: dict[str, Any] = {"message": message, "requestedSchema": schema}
    if key is not None:
        params["_meta"] = {"mcp-proxy/inputKey": key}
    form = types.ElicitRequestFormParams.model_validate(params)
    return await ask(types.ElicitResult, types.ElicitRequest(params=form))


async def ask_model(prompt: str, max_tokens: int = 100) -> str:
    words = types.SamplingMessage(role="user", content=types.TextContent(type="text", text=prompt))
    params = types.CreateMessageRequestParams(messages=[words], maxTokens=max_tokens)
    question = types.CreateMessageRequest(params=params)
    answer = await ask(types.CreateMessageResult, question)
    return answer.content.text if answer.content.type == "text" else answer.content.type


async def ask_roots() -> str:
    roots = (await ask(types.ListRootsResult, types.ListRootsRequest())).roots
    return ", ".join(str(root.uri) for root in roots)


def said(answer: types.ElicitResult) -> str:
    content = json.dumps(answer.content or {}, sort_keys=True)
    return f"action={answer.action}, content={content}"
