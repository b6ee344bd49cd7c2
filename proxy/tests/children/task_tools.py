"""Tools of the dual-era child that answer with a task (`io.modelcontextprotocol/tasks`).

The official suite's scenarios `tasks-…` name them. The SDK has no server side of
this extension, so the few messages of it are written out here as they are on the
wire. Tasks exist on 2026-07-28 only, and for clients that declare the extension.
"""

import datetime
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

import schemas
from modern_tools import Content, text, tool
from turn import Question, Turn, person, said

EXTENSION = "io.modelcontextprotocol/tasks"
# Both are only said: no test lives long enough to see a task forgotten.
TTL_MS = 600_000
POLL_MS = 50

Json = dict[str, Any]
Answers = dict[str, types.ElicitResult]


class Created(Exception):
    """Ends a run of a tool whose client shall ask for the result later."""

    def __init__(self, task: "Task") -> None:
        super().__init__(task.id)
        self.task = task


@dataclass
class Task:
    """Work that goes on after its call was answered."""

    finish: Callable[[Answers], Content]
    done_at: float
    questions: dict[str, Question] = field(default_factory=dict)
    answers: Answers = field(default_factory=dict)
    cancelled: bool = False
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    created: str = field(
        default_factory=lambda: datetime.datetime.now(datetime.timezone.utc).isoformat()
    )

    @property
    def open(self) -> dict[str, Question]:
        """The questions that nobody has answered yet."""
        return {key: one for key, one in self.questions.items() if key not in self.answers}

    def outcome(self) -> Json:
        """What the status says, with what belongs to it."""
        if self.cancelled:
            return {"status": "cancelled"}
        if self.open:
            return {"status": "input_required", "inputRequests": wire(self.open)}
        if time.monotonic() < self.done_at:
            return {"status": "working"}
        try:
            result = types.CallToolResult(content=self.finish(self.answers))
        except MCPError as error:
            return {"status": "failed", "error": {"code": error.code, "message": error.message}}
        except Exception as fault:
            result = types.CallToolResult(content=text(str(fault)), is_error=True)
        return {"status": "completed", "result": wire(result)}

    def described(self) -> Json:
        return {
            "taskId": self.id,
            "createdAt": self.created,
            "lastUpdatedAt": self.created,
            "ttlMs": TTL_MS,
            "pollIntervalMs": POLL_MS,
        }


TASKS: dict[str, Task] = {}


def wire(value: Any) -> Any:
    """A value of the SDK as it is sent."""
    if isinstance(value, dict):
        return {key: wire(one) for key, one in value.items()}
    return value.model_dump(by_alias=True, mode="json", exclude_none=True)


def knows_tasks(ctx: ServerRequestContext[Any, Any]) -> bool:
    wanted = types.ClientCapabilities(extensions={EXTENSION: {}})
    return ctx.session.check_client_capability(wanted)


def require(ctx: ServerRequestContext[Any, Any]) -> None:
    if not knows_tasks(ctx):
        needed = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
        raise MCPError(types.MISSING_REQUIRED_CLIENT_CAPABILITY, "This needs tasks.", needed)


def later(
    finish: Callable[[Answers], Content],
    seconds: float = 0,
    questions: dict[str, Question] | None = None,
) -> Created:
    task = Task(finish, time.monotonic() + seconds, questions or {})
    TASKS[task.id] = task
    return Created(task)


def created(made: Created) -> Json:
    """The answer to the call."""
    return {"resultType": "task", **made.task.described(), "status": "working"}


# The tools.


@tool("Greets at once.", schemas.form(name={"type": "string"}))
async def greet(_: Turn, arguments: dict[str, str]) -> Content:
    return text(f"Hello, {arguments['name']}!")


@tool(
    "Takes its time.",
    schemas.form(seconds={"type": "number"}, label={"type": "string"}),
)
async def slow_compute(turn: Turn, arguments: dict[str, Any]) -> Content:
    seconds, answer = float(arguments["seconds"]), text(f"Computed {arguments.get('label')}.")
    if knows_tasks(turn.ctx):
        raise later(lambda _: answer, seconds)
    await anyio.sleep(seconds)
    return answer


@tool("Fails, as a task and in no other way.")
async def failing_job(turn: Turn, _: dict[str, str]) -> Content:
    def fail(_: Answers) -> Content:
        raise RuntimeError("This job intentionally fails for testing")

    require(turn.ctx)
    raise later(fail)


@tool("Ends with an error of the protocol.")
async def protocol_error_job(turn: Turn, _: dict[str, str]) -> Content:
    def fail(_: Answers) -> Content:
        raise MCPError(types.INTERNAL_ERROR, "This job ends with an error for testing")

    require(turn.ctx)
    raise later(fail)


@tool("Asks before it deletes nothing.", schemas.form(filename={"type": "string"}))
async def confirm_delete(turn: Turn, arguments: dict[str, str]) -> Content:
    require(turn.ctx)
    question = person(f"Delete {arguments['filename']}?", schemas.CONFIRM)
    raise later(lambda answers: text(said(answers["confirm"])), questions={"confirm": question})


@tool("Asks two things at once.")
async def multi_input(turn: Turn, _: dict[str, str]) -> Content:
    require(turn.ctx)
    questions = {
        "name": person("What is your name?", schemas.NAME),
        "confirm": person("Are you sure?", schemas.CONFIRM),
    }
    raise later(
        lambda answers: text("; ".join(said(answers[key]) for key in questions)),
        questions=questions,
    )


@tool("Asks in the call, and then answers with a task.")
async def test_tool_with_task(turn: Turn, _: dict[str, str]) -> Content:
    answer = await turn.ask("user_name", person("What is your name?", schemas.NAME))
    name = (answer.content or {}).get("name", "nobody")
    require(turn.ctx)
    raise later(lambda _: text(f"Hello, {name}!"))


# The methods.


class TaskParams(types.RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    # Answers to what nobody asked are to be ignored, whatever they look like.
    input_responses: dict[str, Any] = {}


def find(ctx: ServerRequestContext[Any, Any], params: TaskParams) -> Task:
    require(ctx)
    if params.task_id not in TASKS:
        raise MCPError(types.INVALID_PARAMS, f"Unknown task: {params.task_id}")
    return TASKS[params.task_id]


async def get(ctx: ServerRequestContext[Any, Any], params: TaskParams) -> Json:
    task = find(ctx, params)
    return {"resultType": "complete", **task.described(), **task.outcome()}


async def update(ctx: ServerRequestContext[Any, Any], params: UpdateParams) -> Json:
    task = find(ctx, params)
    for key in task.open:
        if key in params.input_responses:
            task.answers[key] = types.ElicitResult.model_validate(params.input_responses[key])
    return {"resultType": "complete"}


async def cancel(ctx: ServerRequestContext[Any, Any], params: TaskParams) -> Json:
    task = find(ctx, params)
    if task.outcome()["status"] in ("working", "input_required"):
        task.cancelled = True
    return {"resultType": "complete"}


def register(server: Server) -> None:
    server.extensions[EXTENSION] = {}
    server.add_request_handler("tasks/get", TaskParams, get)
    server.add_request_handler("tasks/update", UpdateParams, update)
    server.add_request_handler("tasks/cancel", TaskParams, cancel)
