"""A stdio MCP server that speaks both eras: the other child of the conformance runs.

It is written on the low-level half of the Python SDK 2.x and offers every name
the official suite asks a server for. The era is the SDK's to choose: whoever
opens with `initialize` gets 2025-11-25 for the life of this process, whoever
opens with a request of 2026-07-28 gets that.

    python modern.py                over standard input and output
    python modern.py --modern-only  the same, without the legacy era
    python modern.py --http PORT    over the SDK's own HTTP layer

The last is for telling a check that fails through the proxy from one that this
server fails: with conformance 0.2.0-alpha.12 and SDK 2.3.0 only
`tasks-request-headers` fails there, because that SDK does not compare `Mcp-Name`
for the methods of an extension.

Standard output belongs to the protocol; nothing here prints.
"""

import json
import sys
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import mcp_types as types
from mcp.server.caching import CacheHint
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import ListenHandler
from mcp.shared.exceptions import MCPDeprecationWarning, MCPError
from mcp_types.methods import CACHEABLE_METHODS
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

import schemas
import task_tools
from modern_tools import TOOLS, bus, embedded, image, state, text
from turn import Turn, Unanswered, person, said

Context = ServerRequestContext[Any, Any]

# The resource error code of every legacy revision; 2026-07-28 has -32602.
RESOURCE_NOT_FOUND = -32002


async def list_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    tools = [
        types.Tool(name=name, description=offer.description, input_schema=offer.schema)
        for name, offer in TOOLS.items()
    ]
    if state.extra_tool:
        extra = "Is here until the list changes."
        tools.append(
            types.Tool(name="extra_tool", description=extra, input_schema=schemas.NOTHING)
        )
    return types.ListToolsResult(tools=tools)


async def call_tool(
    ctx: Context, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult | dict[str, Any]:
    if params.name not in TOOLS:
        raise MCPError(types.INVALID_PARAMS, f"Unknown tool: {params.name}")
    turn = Turn.of(ctx, params, state.level)
    try:
        content = await TOOLS[params.name].run(turn, params.arguments or {})
    except Unanswered as unanswered:
        return turn.required(unanswered)
    except task_tools.Created as created:
        return task_tools.created(created)
    except MCPError:
        raise
    except Exception as fault:
        return types.CallToolResult(content=text(str(fault)), is_error=True)
    return types.CallToolResult(content=content)


# Prompts.


def argument(name: str) -> types.PromptArgument:
    return types.PromptArgument(name=name, description=f"The {name} to use.", required=True)


PROMPTS = [
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
]


async def list_prompts(
    _: Context, __: types.PaginatedRequestParams | None
) -> types.ListPromptsResult:
    extra = types.Prompt(name="extra_prompt", description="Is here until the list changes again.")
    return types.ListPromptsResult(prompts=[*PROMPTS, *([extra] if state.extra_prompt else [])])


async def get_prompt(
    ctx: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    given = params.arguments or {}
    if params.name == "test_simple_prompt":
        blocks = text("This is a simple prompt for testing.")
    elif params.name == "test_prompt_with_arguments":
        arg1, arg2 = given.get("arg1", ""), given.get("arg2", "")
        blocks = text(f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")
    elif params.name == "test_prompt_with_embedded_resource":
        body = "Embedded resource content for testing."
        resource = embedded(given["resourceUri"], "text/plain", body)
        blocks = [resource, *text("Please process the embedded resource above.")]
    elif params.name == "test_prompt_with_image":
        blocks = [image(), *text("Please analyze the image above.")]
    elif params.name == "test_input_required_result_prompt":
        turn = Turn.of(ctx, params, state.level)
        question = person("What context should the prompt use?", schemas.CONTEXT)
        try:
            blocks = text(f"Use this context: {said(await turn.ask('user_context', question))}")
        except Unanswered as unanswered:
            return turn.required(unanswered)
    else:
        raise MCPError(types.INVALID_PARAMS, f"No prompt {params.name}")
    messages = [types.PromptMessage(role="user", content=block) for block in blocks]
    return types.GetPromptResult(description=params.name, messages=messages)


async def complete(_: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    words = ("paris", "park", "party")
    values = [word for word in words if word.startswith(params.argument.value)]
    return types.CompleteResult(
        completion=types.Completion(values=values, total=len(values), has_more=False)
    )


# Resources.

STATIC_TEXT = "test://static-text"
STATIC_BINARY = "test://static-binary"
WATCHED = "test://watched-resource"


async def list_resources(
    _: Context, __: types.PaginatedRequestParams | None
) -> types.ListResourcesResult:
    def resource(uri: str, description: str, mime: str) -> types.Resource:
        name = uri.removeprefix("test://")
        return types.Resource(uri=uri, name=name, description=description, mime_type=mime)

    return types.ListResourcesResult(
        resources=[
            resource(STATIC_TEXT, "A text that never changes.", "text/plain"),
            resource(STATIC_BINARY, "An image that never changes.", "image/png"),
            resource(WATCHED, "A text that can be subscribed to.", "text/plain"),
        ]
    )


async def list_resource_templates(
    _: Context, __: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    template = types.ResourceTemplate(
        uri_template="test://template/{id}/data",
        name="template",
        description="Says its own id.",
        mime_type="application/json",
    )
    return types.ListResourceTemplatesResult(resource_templates=[template])


async def read_resource(
    ctx: Context, params: types.ReadResourceRequestParams
) -> types.ReadResourceResult:
    uri = str(params.uri)
    prefix, suffix = "test://template/", "/data"
    mime, body = "text/plain", None
    if uri == STATIC_TEXT:
        body = "This is the content of the static text resource."
    elif uri == WATCHED:
        body = "Watched."
    elif uri.startswith(prefix) and uri.endswith(suffix):
        key = uri[len(prefix) : -len(suffix)]
        mime = "application/json"
        body = json.dumps({"id": key, "templateTest": True, "data": f"Data for ID: {key}"})
    elif uri == STATIC_BINARY:
        blob = types.BlobResourceContents(uri=uri, mime_type="image/png", blob=schemas.PNG)
        return types.ReadResourceResult(contents=[blob])
    if body is None:
        is_modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
        code = types.INVALID_PARAMS if is_modern else RESOURCE_NOT_FOUND
        raise MCPError(code, "Resource not found", {"uri": uri})
    contents = types.TextResourceContents(uri=uri, mime_type=mime, text=body)
    return types.ReadResourceResult(contents=[contents])


async def subscribe(ctx: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
    # The first update follows the subscription, so that a client can wait for one.
    await ctx.session.send_resource_updated(params.uri)
    return types.EmptyResult()


async def unsubscribe(_: Context, __: types.UnsubscribeRequestParams) -> types.EmptyResult:
    return types.EmptyResult()


async def set_level(_: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
    state.level = params.level
    return types.EmptyResult()


def build() -> Server:
    # The SDK says that 2026-07-28 dropped what half of its clients still ask for.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    server = Server(
        "modern-child",
        version="1.0.0",
        instructions="The dual-era child of the conformance runs.",
        cache_hints={method: CacheHint(ttl_ms=60_000) for method in CACHEABLE_METHODS},
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_prompts=list_prompts,
        on_get_prompt=get_prompt,
        on_completion=complete,
        on_list_resources=list_resources,
        on_list_resource_templates=list_resource_templates,
        on_read_resource=read_resource,
        on_subscribe_resource=subscribe,
        on_unsubscribe_resource=unsubscribe,
        on_set_logging_level=set_level,
        on_subscriptions_listen=ListenHandler(bus),
    )
    task_tools.register(server)
    server.middleware.append(
        RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=server.name)
    )
    return server


async def no_handshake(
    ctx: ServerRequestContext[Any, Any], call_next: Callable[[Any], Awaitable[Any]]
) -> Any:
    """Refuses `initialize` as a server does that has only 2026-07-28."""
    if ctx.method == "initialize":
        supported = {"supported": list(MODERN_PROTOCOL_VERSIONS)}
        raise MCPError(
            types.UNSUPPORTED_PROTOCOL_VERSION, "There is no initialize here.", supported
        )
    return await call_next(ctx)


async def over_stdio(modern_only: bool) -> None:
    server = build()
    if modern_only:
        server.middleware.insert(0, no_handshake)
    changes = NotificationOptions(prompts_changed=True, tools_changed=True)
    async with stdio_server() as (read, write):
        # The legacy era has no extensions.
        options = server.create_initialization_options(changes, extensions={})
        await server.run(read, write, options)


def over_http(port: int) -> None:
    import uvicorn

    uvicorn.run(build().streamable_http_app(), host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--http"]:
        over_http(int(sys.argv[2]))
    else:
        anyio.run(over_stdio, sys.argv[1:2] == ["--modern-only"])
