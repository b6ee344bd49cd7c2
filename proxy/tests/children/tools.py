"""The tools of the legacy child: plain results, notifications, and questions.

Their names are the conformance suite's. Those called `test_input_required_…`
belong to its newer scenarios; here they ask by a request in the middle of the
call, which is the only way a legacy server has.
"""

import json

import anyio
import mcp.types as types
from pydantic import AnyUrl

import schemas
from child import (
    LEVELS,
    Content,
    ask_model,
    ask_person,
    ask_roots,
    embedded,
    image,
    log,
    progress,
    said,
    session,
    state,
    text,
    tool,
)

# Long enough for a client to see notifications apart, short enough for a test run.
STEP_SECONDS = 0.05
# A client of `test_reconnection` drops its stream and comes back within this time.
AWAY_SECONDS = 0.3

# Plain results.


@tool("Answers with one text.")
async def test_simple_text(_: dict[str, str]) -> Content:
    return text("This is a simple text response for testing.")


@tool("Answers with an image.")
async def test_image_content(_: dict[str, str]) -> Content:
    return [image()]


@tool("Answers with a sound.")
async def test_audio_content(_: dict[str, str]) -> Content:
    return [types.AudioContent(type="audio", data=schemas.WAV, mimeType="audio/wav")]


@tool("Answers with a resource inside the result.")
async def test_embedded_resource(_: dict[str, str]) -> Content:
    body = "This is an embedded resource content."
    return [embedded("test://embedded-resource", "text/plain", body)]


@tool("Answers with a text, an image and a resource.")
async def test_multiple_content_types(_: dict[str, str]) -> Content:
    body = json.dumps({"test": "data", "value": 123}, separators=(",", ":"))
    mixed = embedded("test://mixed-content-resource", "application/json", body)
    return [*text("Multiple content types test:"), image(), mixed]


@tool("Always fails.")
async def test_error_handling(_: dict[str, str]) -> Content:
    raise RuntimeError("This tool intentionally returns an error for testing")


@tool("Tool with JSON Schema 2020-12 features", schemas.DRAFT_2020_12)
async def json_schema_2020_12_tool(arguments: dict[str, str]) -> Content:
    return text(json.dumps(arguments, sort_keys=True))


@tool("Takes arguments that a client may mirror into headers.", schemas.CUSTOM_HEADERS)
async def test_custom_header(arguments: dict[str, str]) -> Content:
    return text(json.dumps(arguments, sort_keys=True))


# Notifications on the way to a result.


@tool("Logs three lines, then answers.")
async def test_tool_with_logging(_: dict[str, str]) -> Content:
    await log("Tool execution started")
    await anyio.sleep(STEP_SECONDS)
    await log("Tool processing data")
    await anyio.sleep(STEP_SECONDS)
    await log("Tool execution completed")
    return text("Logged three lines.")


@tool("Logs at every level that the client asked for, then answers.")
async def test_logging_tool(_: dict[str, str]) -> Content:
    for level in LEVELS:
        await log(f"A line at {level}.", level)
    return text("Logged.")


@tool("Reports progress three times, then answers.")
async def test_tool_with_progress(_: dict[str, str]) -> Content:
    await progress(0, 100)
    await anyio.sleep(STEP_SECONDS)
    await progress(50, 100)
    await anyio.sleep(STEP_SECONDS)
    await progress(100, 100)
    return text("Progressed from 0 to 100.")


@tool("Logs, waits for the client to lose and find its stream again, and answers.")
async def test_reconnection(_: dict[str, str]) -> Content:
    await log("Before the stream is closed")
    await anyio.sleep(AWAY_SECONDS)
    await log("After the client came back")
    return text("Reconnection test completed.")


@tool("Adds a tool to the list, or removes it again, and says so.")
async def test_trigger_tool_change(_: dict[str, str]) -> Content:
    state.extra_tool = not state.extra_tool
    await session().send_tool_list_changed()
    return text("The list of tools changed.")


@tool("Adds a prompt to the list, or removes it again, and says so.")
async def test_trigger_prompt_change(_: dict[str, str]) -> Content:
    state.extra_prompt = not state.extra_prompt
    await session().send_prompt_list_changed()
    return text("The list of prompts changed.")


# Questions in the middle of a call.


@tool("Asks the client's model.", schemas.PROMPT)
async def test_sampling(arguments: dict[str, str]) -> Content:
    return text(f"LLM response: {await ask_model(arguments['prompt'])}")


@tool("Asks the person for a name and an address.", schemas.MESSAGE)
async def test_elicitation(arguments: dict[str, str]) -> Content:
    answer = await ask_person(arguments["message"], schemas.CONTACT)
    return text(f"User response: {said(answer)}")


@tool("Asks with a default for each primitive type.")
async def test_elicitation_sep1034_defaults(_: dict[str, str]) -> Content:
    answer = await ask_person("Please review these values.", schemas.DEFAULTS)
    return text(f"Elicitation completed: {said(answer)}")


@tool("Asks with the five kinds of choice.")
async def test_elicitation_sep1330_enums(_: dict[str, str]) -> Content:
    answer = await ask_person("Please choose.", schemas.ENUMS)
    return text(f"Elicitation completed: {said(answer)}")


@tool("Asks the model although the client may never have offered one.")
async def test_missing_capability(_: dict[str, str]) -> Content:
    return text(f"LLM response: {await ask_model('Is anybody there?')}")


@tool("Reports progress, asks the person, and reports progress again.")
async def test_streaming_elicitation(_: dict[str, str]) -> Content:
    await progress(1, 2)
    answer = await ask_person("What is your name?", schemas.NAME)
    await progress(2, 2)
    return text(f"User response: {said(answer)}")


@tool("Asks the person for a name.")
async def test_input_required_result_elicitation(_: dict[str, str]) -> Content:
    # A person who sends something else is asked again, as often as it takes: the
    # SDK's client side does not check an answer against the schema. The suite wants
    # this question under this key, also in answers it gives before it was asked.
    answer = await ask_person("What is your name?", schemas.NAME, "user_name")
    while answer.action == "accept" and "name" not in (answer.content or {}):
        answer = await ask_person("What is your name?", schemas.NAME, "user_name")
    name = (answer.content or {}).get("name", "nobody")
    return text(f"Hello, {name}!")


@tool("Asks the model one question.")
async def test_input_required_result_sampling(_: dict[str, str]) -> Content:
    return text(await ask_model("What is the capital of France?"))


@tool("Asks for the client's roots.")
async def test_input_required_result_list_roots(_: dict[str, str]) -> Content:
    return text(f"Roots: {await ask_roots()}")


@tool("Asks for a confirmation.")
async def test_input_required_result_request_state(_: dict[str, str]) -> Content:
    answer = await ask_person("Please confirm", schemas.CONFIRM)
    return text(f"state-ok: {said(answer)}")


@tool("Asks for a confirmation whose state nobody may forge.")
async def test_input_required_result_tampered_state(_: dict[str, str]) -> Content:
    answer = await ask_person("Please confirm", schemas.CONFIRM)
    return text(f"state-ok: {said(answer)}")


@tool("Asks the person, the model and for roots, all at once.")
async def test_input_required_result_multiple_inputs(_: dict[str, str]) -> Content:
    answers: dict[str, str] = {}

    async def person() -> None:
        answers["user_name"] = said(
            await ask_person("What is your name?", schemas.NAME, "user_name")
        )

    async def model() -> None:
        answers["greeting"] = await ask_model("Generate a greeting", max_tokens=50)

    async def roots() -> None:
        answers["client_roots"] = await ask_roots()

    async with anyio.create_task_group() as group:
        group.start_soon(person)
        group.start_soon(model)
        group.start_soon(roots)
    return text(json.dumps(answers, sort_keys=True))


@tool("Asks the person twice, the second time after the first answer.")
async def test_input_required_result_multi_round(_: dict[str, str]) -> Content:
    first = await ask_person("Step 1: What is your name?", schemas.NAME)
    second = await ask_person("Step 2: What is your favorite color?", schemas.COLOR)
    return text(f"{said(first)}; {said(second)}")


@tool("Asks only for what the client can give.")
async def test_input_required_result_capabilities(_: dict[str, str]) -> Content:
    answers: list[str] = []
    can = session().check_client_capability
    if can(types.ClientCapabilities(elicitation=types.ElicitationCapability())):
        answers.append(said(await ask_person("What is your name?", schemas.NAME)))
    if can(types.ClientCapabilities(sampling=types.SamplingCapability())):
        answers.append(await ask_model("What is the capital of France?"))
    if can(types.ClientCapabilities(roots=types.RootsCapability())):
        answers.append(await ask_roots())
    return text("; ".join(answers) or "The client can give nothing.")


# For our own clients.


@tool("Gives back its text.", schemas.TEXT)
async def echo(arguments: dict[str, str]) -> Content:
    return text(arguments["text"])


@tool("Reports progress once, and answers only when it is cancelled, which it counts.")
async def wait_for_ever(_: dict[str, str]) -> Content:
    await progress(1, 2)
    try:
        await anyio.sleep_forever()
    except anyio.get_cancelled_exc_class():
        state.cancelled += 1
        raise


@tool("Says how many calls were cancelled in this process.")
async def cancelled(_: dict[str, str]) -> Content:
    return text(str(state.cancelled))


@tool("Says that a resource changed.", schemas.URI)
async def touch(arguments: dict[str, str]) -> Content:
    await session().send_resource_updated(AnyUrl(arguments["uri"]))
    return text("Touched.")
