"""One call of the dual-era child: how a tool asks, logs and reports, in either era.

A legacy client is asked by a request in the middle of the call. A client of
2026-07-28 is asked by an answer, `input_required`, and calls again; so the tool
runs from its beginning each time and `ask` finds what has been answered so far.
A tool is written once and does not see the difference.
"""

import json
from dataclasses import dataclass, field
from typing import Any

import anyio
import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel

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

Question = types.ElicitRequest | types.CreateMessageRequest | types.ListRootsRequest

# How the answer to each kind of question is read.
ANSWERS: dict[str, type[BaseModel]] = {
    "elicitation/create": types.ElicitResult,
    "sampling/createMessage": types.CreateMessageResult,
    "roots/list": types.ListRootsResult,
}
# What a client must have declared to be asked.
NEEDS: dict[str, types.ClientCapabilities] = {
    "elicitation/create": types.ClientCapabilities(elicitation=types.ElicitationCapability()),
    "sampling/createMessage": types.ClientCapabilities(sampling=types.SamplingCapability()),
    "roots/list": types.ClientCapabilities(roots=types.RootsCapability()),
}


def person(message: str, schema: schemas.Schema) -> types.ElicitRequest:
    form = types.ElicitRequestFormParams(message=message, requested_schema=schema)
    return types.ElicitRequest(params=form)


def model(prompt: str, max_tokens: int = 100) -> types.CreateMessageRequest:
    words = types.SamplingMessage(role="user", content=types.TextContent(text=prompt))
    params = types.CreateMessageRequestParams(messages=[words], max_tokens=max_tokens)
    return types.CreateMessageRequest(params=params)


def roots() -> types.ListRootsRequest:
    return types.ListRootsRequest()


def said(answer: BaseModel) -> str:
    """What an answer comes to, as a text."""
    if isinstance(answer, types.ElicitResult):
        content = json.dumps(answer.content or {}, sort_keys=True)
        return f"action={answer.action}, content={content}"
    if isinstance(answer, types.ListRootsResult):
        return ", ".join(str(root.uri) for root in answer.roots)
    assert isinstance(answer, types.CreateMessageResult)
    return answer.content.text if answer.content.type == "text" else answer.content.type


class Unanswered(Exception):
    """Ends a run of a tool whose questions the client has yet to answer."""

    def __init__(self, questions: dict[str, Question]) -> None:
        super().__init__(", ".join(questions))
        self.questions = questions


@dataclass
class Turn:
    """One request of one client, however often it had to call to get here."""

    ctx: ServerRequestContext[Any, Any]
    level: str
    given: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        ctx: ServerRequestContext[Any, Any],
        params: types.CallToolRequestParams | types.GetPromptRequestParams,
        level: str,
    ) -> "Turn":
        # The middleware has unsealed the state: it is what we put in, or nothing.
        given = json.loads(params.request_state) if params.request_state else {}
        for key, answer in (params.input_responses or {}).items():
            given[key] = answer.model_dump(by_alias=True, mode="json", exclude_none=True)
        return cls(ctx, level, given)

    @property
    def is_modern(self) -> bool:
        return self.ctx.protocol_version in MODERN_PROTOCOL_VERSIONS

    def can(self, method: str) -> bool:
        """Whether the client declared that it can be asked this."""
        return self.ctx.session.check_client_capability(NEEDS[method])

    async def ask(self, key: str, question: Question) -> Any:
        """Asks one question; on 2026-07-28 `key` is its name among those of the call."""
        return (await self.ask_all({key: question}))[key]

    async def ask_all(self, questions: dict[str, Question]) -> dict[str, Any]:
        """Asks several questions at once and waits for all answers."""
        for question in questions.values():
            if not self.can(question.method):
                self.refuse(question.method)
        if self.is_modern:
            answers = {key: self.answer(key, question) for key, question in questions.items()}
            if missing := {key: questions[key] for key, got in answers.items() if got is None}:
                raise Unanswered(missing)
            return answers
        answers = {}

        async def one(key: str, question: Question) -> None:
            answers[key] = await self.push(question)

        async with anyio.create_task_group() as group:
            for key, question in questions.items():
                group.start_soon(one, key, question)
        return answers

    def answer(self, key: str, question: Question) -> BaseModel | None:
        """What the client said to a question, if it said anything of use."""
        if key not in self.given:
            return None
        try:
            answer = ANSWERS[question.method].model_validate(self.given[key])
        except ValueError:
            return None
        return answer if fits(answer, question) else None

    async def push(self, question: Question) -> BaseModel:
        """The legacy way. Somebody who sends something else is asked again."""
        session = self.ctx.session
        while True:
            if isinstance(question, types.ElicitRequest):
                form = question.params
                assert isinstance(form, types.ElicitRequestFormParams)
                answer = await session.elicit_form(
                    form.message, form.requested_schema, self.ctx.request_id
                )
            elif isinstance(question, types.CreateMessageRequest):
                answer = await session.create_message(
                    question.params.messages,
                    max_tokens=question.params.max_tokens,
                    related_request_id=self.ctx.request_id,
                )
            else:
                answer = await session.list_roots()
            if fits(answer, question):
                return answer

    def refuse(self, method: str) -> None:
        """Ends the call because it needs what the client did not declare."""
        needed = NEEDS[method].model_dump(by_alias=True, mode="json", exclude_none=True)
        code = types.MISSING_REQUIRED_CLIENT_CAPABILITY if self.is_modern else types.INVALID_REQUEST
        raise MCPError(code, f"This call needs {method}.", {"requiredCapabilities": needed})

    def required(self, unanswered: Unanswered) -> types.InputRequiredResult:
        """The answer that asks. The state says what has been answered already."""
        state = json.dumps(self.given, sort_keys=True)
        return types.InputRequiredResult(
            input_requests=unanswered.questions, request_state=state
        )

    async def log(self, message: str, level: types.LoggingLevel = "info") -> None:
        """Sends a log line of this call, if the client wants this level."""
        # On 2026-07-28 the SDK looks at what the request itself asked for.
        if self.is_modern or LEVELS.index(level) >= LEVELS.index(self.level):
            await self.ctx.session.send_log_message(
                level, message, "child", related_request_id=self.ctx.request_id
            )

    async def progress(self, done: float, total: float) -> None:
        """Sends progress of this call, if the client gave it a token."""
        token = self.ctx.meta.get("progress_token") if self.ctx.meta else None
        if token is not None:
            await self.ctx.session.send_progress_notification(
                token, done, total, f"{done:g} of {total:g}", str(self.ctx.request_id)
            )


def fits(answer: BaseModel, question: Question) -> bool:
    """Whether an accepted form has what was asked for; the SDK does not look."""
    if not isinstance(answer, types.ElicitResult) or answer.action != "accept":
        return True
    assert isinstance(question, types.ElicitRequest)
    assert isinstance(question.params, types.ElicitRequestFormParams)
    wanted = question.params.requested_schema.get("required", [])
    return all(name in (answer.content or {}) for name in wanted)
