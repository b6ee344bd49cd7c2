"""A stdio MCP server that speaks only the legacy era: the child of the conformance runs.

It offers every name the official suite asks a server for. It is written on the
low-level half of the Python SDK 1.x, because the suite compares schemas and
texts exactly and a generated schema would stand in the way. Where the suite's
newer scenarios expect an answer of `input_required`, this child does what a
legacy server does: it writes a request of its own in the middle of the call
and waits. Turning the one into the other is the proxy's work, not the child's.

Standard output belongs to the protocol; nothing here prints.
"""

import base64
import json

import anyio
import mcp.types as types
from mcp.server.lowlevel import NotificationOptions
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import McpError
from pydantic import AnyUrl

import schemas
import tools
from child import (
    TOOLS,
    Content,
    Offer,
    ask_person,
    embedded,
    image,
    said,
    server,
    session,
    state,
    text,
)

# The resource error code of every legacy revision (2026-07-28 uses -32602).
RESOURCE_NOT_FOUND = -32002


@server.list_tools()
async def list_tools() -> list[types.Tool]:
    names = [*TOOLS, *(["extra_tool"] if state.extra_tool else [])]
    extra = Offer("Is here until the list changes.", schemas.NOTHING, tools.test_simple_text)
    offers = [(name, TOOLS.get(name, extra)) for name in names]
    return [
        types.Tool(name=name, description=offer.description, inputSchema=offer.schema)
        for name, offer in offers
    ]


@server.call_tool()
async def call_tool(name: str, arguments: dict[str, str]) -> Content:
    if name not in TOOLS:
        raise ValueError(f"Unknown tool: {name}")
    return await TOOLS[name].run(arguments)


# Prompts.


def argument(name: str) -> types.PromptArgument:
    return types.PromptArgument(name=name, description=f"The {name} to use.", required=True)


PROMPTS: dict[str, types.Prompt] = {
    prompt.name: prompt
    for prompt in (
        types.Prompt(name="test_simple_prompt", description="One message."),
        types.Prompt(
            name="test_prompt_with_arguments",
            description="One message made from two arguments.",
            arguments=[argument("arg1"), argument("arg2")],
        ),
        types.Prompt(
            name="test_prompt_with_embedded_resource",
            description="A resource and a message.",
            arguments=[argument("resourceUri")],
        ),
        types.Prompt(name="test_prompt_with_image", description="An image and a message."),
        types.Prompt(
            name="test_input_required_result_prompt",
            description="One message made from what a person says.",
        ),
    )
}


@server.list_prompts()
async def list_prompts() -> list[types.Prompt]:
    extra = types.Prompt(name="extra_prompt", description="Is here until the list changes again.")
    return [*PROMPTS.values(), *([extra] if state.extra_prompt else [])]


@server.get_prompt()
async def get_prompt(name: str, arguments: dict[str, str] | None) -> types.GetPromptResult:
    given = arguments or {}
    if name == "test_simple_prompt":
        blocks = text("This is a simple prompt for testing.")
    elif name == "test_prompt_with_arguments":
        arg1, arg2 = given.get("arg1", ""), given.get("arg2", "")
        blocks = text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")
    elif name == "test_prompt_with_embedded_resource":
        body = "Embedded resource content for testing."
        resource = embedded(given["resourceUri"], "text/plain", body)
        blocks = [resource, *text("Please process the embedded resource above.")]
    elif name == "test_prompt_with_image":
        blocks = [image(), *text("Please analyze the image above.")]
    elif name == "test_input_required_result_prompt":
        answer = await ask_person("What context should the prompt use?", schemas.CONTEXT)
        blocks = text(f"Use this context: {said(answer)}")
    else:
        raise McpError(types.ErrorData(code=types.INVALID_PARAMS, message=f"No prompt {name}"))
    messages = [types.PromptMessage(role="user", content=block) for block in blocks]
    return types.GetPromptResult(description=name, messages=messages)


@server.completion()
async def complete(
    _ref: types.PromptReference | types.ResourceTemplateReference,
    typed: types.CompletionArgument,
    _context: types.CompletionContext | None,
) -> types.Completion:
    values = [word for word in ("paris", "park", "party") if word.startswith(typed.value)]
    return types.Completion(values=values, total=len(values), hasMore=False)


# Resources.

STATIC_TEXT = "test://static-text"
STATIC_BINARY = "test://static-binary"
WATCHED = "test://watched-resource"


@server.list_resources()
async def list_resources() -> list[types.Resource]:
    def resource(uri: str, description: str, mime: str) -> types.Resource:
        name = uri.removeprefix("test://")
        return types.Resource(uri=AnyUrl(uri), name=name, description=description, mimeType=mime)

    return [
        resource(STATIC_TEXT, "A text that never changes.", "text/plain"),
        resource(STATIC_BINARY, "An image that never changes.", "image/png"),
        resource(WATCHED, "A text that can be subscribed to.", "text/plain"),
    ]


@server.list_resource_templates()
async def list_resource_templates() -> list[types.ResourceTemplate]:
    return [
        types.ResourceTemplate(
            uriTemplate="test://template/{id}/data",
            name="template",
            description="Says its own id.",
            mimeType="application/json",
        )
    ]


@server.read_resource()
async def read_resource(uri: AnyUrl) -> list[ReadResourceContents]:
    wanted = str(uri)
    if wanted == STATIC_TEXT:
        body = "This is the content of the static text resource."
        return [ReadResourceContents(content=body, mime_type="text/plain")]
    if wanted == STATIC_BINARY:
        return [ReadResourceContents(base64.b64decode(schemas.PNG), mime_type="image/png")]
    if wanted == WATCHED:
        return [ReadResourceContents(content="Watched.", mime_type="text/plain")]
    prefix, suffix = "test://template/", "/data"
    if wanted.startswith(prefix) and wanted.endswith(suffix):
        key = wanted[len(prefix) : -len(suffix)]
        body = json.dumps({"id": key, "templateTest": True, "data": f"Data for ID: {key}"})
        return [ReadResourceContents(content=body, mime_type="application/json")]
    raise McpError(
        types.ErrorData(code=RESOURCE_NOT_FOUND, message="Resource not found", data={"uri": wanted})
    )


@server.subscribe_resource()
async def subscribe(uri: AnyUrl) -> None:
    # The first update follows the subscription, so that a client can wait for one.
    await session().send_resource_updated(uri)


@server.unsubscribe_resource()
async def unsubscribe(_: AnyUrl) -> None:
    return None


@server.set_logging_level()
async def set_level(level: types.LoggingLevel) -> None:
    state.level = level


async def main() -> None:
    changes = NotificationOptions(prompts_changed=True, tools_changed=True)
    options = server.create_initialization_options(changes)
    # The SDK declares subscriptions as absent, whatever handlers are registered.
    if options.capabilities.resources is not None:
        options.capabilities.resources.subscribe = True
    async with stdio_server() as (read, write):
        await server.run(read, write, options)


if __name__ == "__main__":
    anyio.run(main)
