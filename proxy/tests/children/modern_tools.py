"""The tools of the dual-era child: plain results, notifications, and questions.

Their names are the conformance suite's; the last group is for our own clients.
`turn.py` makes one function serve both eras.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
import mcp_types as types
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    PromptsListChanged,
    ResourceUpdated,
    ToolsListChanged,
)

import schemas
from turn import LEVELS, Turn, model, person, roots, said

# Long enough for a client to see notifications apart, short enough for a test run.
STEP_SECONDS = 0.05
# A client of `test_reconnection` drops its stream and comes back within this time.
AWAY_SECONDS = 0.3

Content = list[types.ContentBlock]
Run = Callable[[Turn, dict[str, str]], Awaitable[Content]]


@dataclass
class State:
    """What changed in this process so far."""

    level: str = "info"
    extra_tool: bool = False
    extra_prompt: bool = False
    cancelled: int = 0


@dataclass(frozen=True)
class Offer:
    """A tool: how it is listed and what it does."""

    description: str
    schema: schemas.Schema
    run: Run


state = State()
bus = InMemorySubscriptionBus()
TOOLS: dict[str, Offer] = {}


def tool(description: str, schema: schemas.Schema = schemas.NOTHING) -> Callable[[Run], Run]:
    """Offers the function below under its own name."""

    def offer(run: Run) -> Run:
        TOOLS[run.__name__] = Offer(description, schema, run)
        return run

    return offer


def text(value: str) -> Content:
    return [types.TextContent(text=value)]


def image() -> types.ImageContent:
    return types.ImageContent(data=schemas.PNG, mime_type="image/png")


def embedded(uri: str, mime: str, value: str) -> types.EmbeddedResource:
    body = types.TextResourceContents(uri=uri, mime_type=mime, text=value)
    return types.EmbeddedResource(resource=body)


# Plain results.


@tool("Answers with one text.")
async def test_simple_text(_: Turn, __: dict[str, str]) -> Content:
    return text("This is a simple text response for testing.")


@tool("Answers with an image.")
async def test_image_content(_: Turn, __: dict[str, str]) -> Content:
    return [image()]


@tool("Answers with a sound.")
async def test_audio_content(_: Turn, __: dict[str, str]) -> Content:
    return [types.AudioContent(data=schemas.WAV, mime_type="audio/wav")]


@tool("Answers with a resource inside the result.")
async def test_embedded_resource(_: Turn, __: dict[str, str]) -> Content:
    body = "This is an embedded resource content."
    return [embedded("test://embedded-resource", "text/plain", body)]


@tool("Answers with a text, an image and a resource.")
async def test_multiple_content_types(_: Turn, __: dict[str, str]) -> Content:
    body = json.dumps({"test": "data", "value": 123}, separators=(",", ":"))
    mixed = embedded("test://mixed-content-resource", "application/json", body)
    return [*text("Multiple content types test:"), image(), mixed]


@tool("Always fails.")
async def test_error_handling(_: Turn, __: dict[str, str]) -> Content:
    raise RuntimeError("This tool intentionally returns an error for testing")


@tool("Tool with JSON Schema 2020-12 features", schemas.DRAFT_2020_12)
async def json_schema_2020_12_tool(_: Turn, arguments: dict[str, str]) -> Content:
    return text(json.dumps(arguments, sort_keys=True))


@tool("Takes arguments that a client may mirror into headers.", schemas.CUSTOM_HEADERS)
async def test_custom_header(_: Turn, arguments: dict[str, str]) -> Content:
    return text(json.dumps(arguments, sort_keys=True))


# Notifications on the way to a result.


@tool("Logs three lines, then answers.")
async def test_tool_with_logging(turn: Turn, _: dict[str, str]) -> Content:
    for line in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await turn.log(line)
        await anyio.sleep(STEP_SECONDS)
    return text("Logged three lines.")


@tool("Logs at every level that the client asked for, then answers.")
async def test_logging_tool(turn: Turn, _: dict[str, str]) -> Content:
    for level in LEVELS:
        await turn.log(f"A line at {level}.", level)
    return text("Logged.")


@tool("Reports progress three times, then answers.")
async def test_tool_with_progress(turn: Turn, _: dict[str, str]) -> Content:
    for done in (0, 50, 100):
        await turn.progress(done, 100)
        await anyio.sleep(STEP_SECONDS)
    return text("Progressed from 0 to 100.")


@tool("Logs, waits for the client to lose and find its stream again, and answers.")
async def test_reconnection(turn: Turn, _: dict[str, str]) -> Content:
    await turn.log("Before the stream is closed")
    await anyio.sleep(AWAY_SECONDS)
    await turn.log("After the client came back")
    return text("Reconnection test completed.")


@tool("Adds a tool to the list, or removes it again, and says so.")
async def test_trigger_tool_change(turn: Turn, _: dict[str, str]) -> Content:
    state.extra_tool = not state.extra_tool
    if turn.is_modern:
        await bus.publish(ToolsListChanged())
    else:
        await turn.ctx.session.send_tool_list_changed()
    return text("The list of tools changed.")


@tool("Adds a prompt to the list, or removes it again, and says so.")
async def test_trigger_prompt_change(turn: Turn, _: dict[str, str]) -> Content:
    state.extra_prompt = not state.extra_prompt
    if turn.is_modern:
        await bus.publish(PromptsListChanged())
    else:
        await turn.ctx.session.send_prompt_list_changed()
    return text("The list of prompts changed.")


# Questions.


@tool("Asks the client's model.", schemas.PROMPT)
async def test_sampling(turn: Turn, arguments: dict[str, str]) -> Content:
    answer = await turn.ask("answer", model(arguments["prompt"]))
    return text(f"LLM response: {said(answer)}")


@tool("Asks the person for a name and an address.", schemas.MESSAGE)
async def test_elicitation(turn: Turn, arguments: dict[str, str]) -> Content:
    answer = await turn.ask("contact", person(arguments["message"], schemas.CONTACT))
    return text(f"User response: {said(answer)}")


@tool("Asks with a default for each primitive type.")
async def test_elicitation_sep1034_defaults(turn: Turn, _: dict[str, str]) -> Content:
    answer = await turn.ask("values", person("Please review these values.", schemas.DEFAULTS))
    return text(f"Elicitation completed: {said(answer)}")


@tool("Asks with the five kinds of choice.")
async def test_elicitation_sep1330_enums(turn: Turn, _: dict[str, str]) -> Content:
    answer = await turn.ask("choices", person("Please choose.", schemas.ENUMS))
    return text(f"Elicitation completed: {said(answer)}")


@tool("Asks the model although the client may never have offered one.")
async def test_missing_capability(turn: Turn, _: dict[str, str]) -> Content:
    return text(f"LLM response: {said(await turn.ask('answer', model('Is anybody there?')))}")


@tool("Reports progress, asks the person, and reports progress again.")
async def test_streaming_elicitation(turn: Turn, _: dict[str, str]) -> Content:
    await turn.progress(1, 2)
    answer = await turn.ask("user_name", person("What is your name?", schemas.NAME))
    await turn.progress(2, 2)
    return text(f"User response: {said(answer)}")


@tool("Asks the person for a name.")
async def test_input_required_result_elicitation(turn: Turn, _: dict[str, str]) -> Content:
    answer = await turn.ask("user_name", person("What is your name?", schemas.NAME))
    return text(f"Hello, {(answer.content or {}).get('name', 'nobody')}!")


@tool("Asks the model one question.")
async def test_input_required_result_sampling(turn: Turn, _: dict[str, str]) -> Content:
    return text(said(await turn.ask("capital_question", model("What is the capital of France?"))))


@tool("Asks for the client's roots.")
async def test_input_required_result_list_roots(turn: Turn, _: dict[str, str]) -> Content:
    return text(f"Roots: {said(await turn.ask('client_roots', roots()))}")


@tool("Asks for a confirmation.")
async def test_input_required_result_request_state(turn: Turn, _: dict[str, str]) -> Content:
    answer = await turn.ask("confirm", person("Please confirm", schemas.CONFIRM))
    return text(f"state-ok: {said(answer)}")


@tool("Asks for a confirmation whose state nobody may forge.")
async def test_input_required_result_tampered_state(turn: Turn, _: dict[str, str]) -> Content:
    answer = await turn.ask("confirm", person("Please confirm", schemas.CONFIRM))
    return text(f"state-ok: {said(answer)}")


@tool("Asks the person, the model and for roots, all at once.")
async def test_input_required_result_multiple_inputs(turn: Turn, _: dict[str, str]) -> Content:
    answers = await turn.ask_all(
        {
            "user_name": person("What is your name?", schemas.NAME),
            "greeting": model("Generate a greeting", max_tokens=50),
            "client_roots": roots(),
        }
    )
    return text(json.dumps({key: said(answer) for key, answer in sorted(answers.items())}))


@tool("Asks the person twice, the second time after the first answer.")
async def test_input_required_result_multi_round(turn: Turn, _: dict[str, str]) -> Content:
    first = await turn.ask("step1", person("Step 1: What is your name?", schemas.NAME))
    color = person("Step 2: What is your favorite color?", schemas.COLOR)
    second = await turn.ask("step2", color)
    return text(f"{said(first)}; {said(second)}")


@tool("Asks only for what the client can give.")
async def test_input_required_result_capabilities(turn: Turn, _: dict[str, str]) -> Content:
    questions = {
        "user_name": person("What is your name?", schemas.NAME),
        "capital_question": model("What is the capital of France?"),
        "client_roots": roots(),
    }
    possible = {key: one for key, one in questions.items() if turn.can(one.method)}
    if not possible:
        return text("The client can give nothing.")
    answers = await turn.ask_all(possible)
    return text("; ".join(said(answer) for answer in answers.values()))


# For our own clients.


@tool("Gives back its text.", schemas.TEXT)
async def echo(_: Turn, arguments: dict[str, str]) -> Content:
    return text(arguments["text"])


@tool("Reports progress once, and answers only when it is cancelled, which it counts.")
async def wait_for_ever(turn: Turn, _: dict[str, str]) -> Content:
    await turn.progress(1, 2)
    try:
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class():
        state.cancelled += 1
        raise


@tool("Says how many calls were cancelled in this process.")
async def cancelled(_: Turn, __: dict[str, str]) -> Content:
    return text(str(state.cancelled))


@tool("Says that a resource changed.", schemas.URI)
async def touch(turn: Turn, arguments: dict[str, str]) -> Content:
    if turn.is_modern:
        await bus.publish(ResourceUpdated(arguments["uri"]))
    else:
        await turn.ctx.session.send_resource_updated(arguments["uri"])
    return text("Touched.")
