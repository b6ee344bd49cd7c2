// The official TypeScript client v2 on 2026-07-28, through the proxy, to the dual-era child or the
// legacy one.
//
// It asks `server/discover`, and must stay on the modern revision by itself.
//
//     node stateless.mjs http://127.0.0.1:8080/mcp modern-child

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { check, finish, inbox, overhear, post, textOf, within } from "./check.mjs";

const require = createRequire(join(process.cwd(), "package.json"));
const { Client, StreamableHTTPClientTransport } = require("@modelcontextprotocol/client");

const [url, server] = process.argv.slice(2);
const WATCHED = "test://watched-resource";
const META = "io.modelcontextprotocol/";
const everything = { roots: {}, sampling: {}, elicitation: { form: {} } };

async function connect(capabilities = everything) {
  const client = new Client(
    { name: "typescript-stateless", version: "1.0.0" },
    { capabilities, versionNegotiation: { mode: "auto" } },
  );
  const logs = inbox();
  const news = inbox();
  client.setNotificationHandler("notifications/message", ({ params }) => logs.push(params));
  for (const list of ["tools", "prompts"]) {
    const method = `notifications/${list}/list_changed`;
    client.setNotificationHandler(method, () => news.push(list));
  }
  client.setNotificationHandler("notifications/resources/updated", ({ params }) =>
    news.push(params.uri),
  );
  if (capabilities === everything) {
    client.setRequestHandler("roots/list", () => ({ roots: [{ uri: "file:///workspace/ts" }] }));
    client.setRequestHandler("sampling/createMessage", ({ params }) => ({
      role: "assistant",
      model: "a-model",
      content: { type: "text", text: `Paris in ${params.maxTokens} tokens.` },
    }));
    client.setRequestHandler("elicitation/create", ({ params }) => {
      const wanted = Object.keys(params.requestedSchema.properties);
      const content = Object.fromEntries(wanted.map((name) => [name, name === "ok" || "Ada"]));
      return { action: "accept", content };
    });
  }
  const transport = new StreamableHTTPClientTransport(new URL(url));
  await client.connect(transport);
  return { client, transport, logs, news };
}

const { client, transport, logs, news } = await connect();
const call = async (name, args = {}, options = undefined) =>
  textOf(await client.callTool({ name, arguments: args }, options));

check("it finds 2026-07-28 by itself", () => {
  assert.equal(client.getProtocolEra(), "modern");
  assert.equal(client.getServerVersion().name, server);
});

check("tools, prompts and resources are listed and used", async () => {
  const names = (await client.listTools()).tools.map((tool) => tool.name);
  assert.ok(names.includes("echo") && names.includes("test_custom_header"), String(names));
  assert.equal(await call("echo", { text: "grüße 🦀" }), "grüße 🦀");
  assert.ok((await client.listPrompts()).prompts.length >= 5);
  const args = { arg1: "one", arg2: "two" };
  const prompt = await client.getPrompt({ name: "test_prompt_with_arguments", arguments: args });
  assert.match(prompt.messages[0].content.text, /arg1='one'/);
  const uris = (await client.listResources()).resources.map((resource) => resource.uri);
  assert.ok(uris.includes(WATCHED));
  assert.equal((await client.readResource({ uri: WATCHED })).contents[0].text, "Watched.");
  assert.equal((await client.listResourceTemplates()).resourceTemplates.length, 1);
  const { completion } = await client.complete({
    ref: { type: "ref/prompt", name: "test_simple_prompt" },
    argument: { name: "place", value: "par" },
  });
  assert.deepEqual(completion.values, ["paris", "park", "party"]);
});

check("arguments that are mirrored into headers arrive, whatever is in them", async () => {
  for (const region of ["eu-1", " padded ", "größe", "=?base64?eA==?=", "line\nbreak"]) {
    const args = { region, retries: 3 };
    assert.deepEqual(JSON.parse(await call("test_custom_header", args)), args);
  }
});

check("a large argument comes back whole", async () => {
  const text = "0123456789abcdef".repeat(64 * 1024);
  assert.equal(await call("echo", { text }), text);
});

check("errors arrive as what they are", async () => {
  const failed = await client.callTool({ name: "test_error_handling", arguments: {} });
  assert.equal(failed.isError, true);
  const code = (wanted) => (error) => error.code === wanted || assert.fail(String(error));
  const unknown = client.callTool({ name: "no_such_tool", arguments: {} });
  // SDK 1.x for Python makes a result of it.
  if (server === "legacy-child") assert.equal((await unknown).isError, true);
  else await assert.rejects(unknown, code(-32602));
  await assert.rejects(client.readResource({ uri: "test://no-such" }), code(-32602));
  const plain = await connect({});
  const undeclared = plain.client.callTool({ name: "test_missing_capability", arguments: {} });
  await assert.rejects(undeclared, code(-32021));
  await plain.client.close();
});

check("progress arrives in order and before the answer", async () => {
  const heard = overhear(transport);
  await call("test_tool_with_progress", {}, { onprogress: () => {} });
  assert.deepEqual(heard, [0, 50, 100, "answer"]);
});

check("log lines arrive from the level on that the request names", async () => {
  const meta = { [`${META}logLevel`]: "critical" };
  await client.callTool({ name: "test_logging_tool", arguments: {}, _meta: meta });
  const heard = [];
  await logs.find("the last line", ({ level }) => heard.push(level) && level === "emergency");
  assert.deepEqual(heard, ["critical", "alert", "emergency"]);
});

check("questions come as answers, in one round and in several, in tools and prompts", async () => {
  const all = await call("test_input_required_result_multiple_inputs");
  for (const part of [/Ada/, /Paris in 50/, /workspace\/ts/]) assert.match(all, part);
  const rounds = await call("test_input_required_result_multi_round");
  assert.equal(rounds.match(/action=accept/g).length, 2);
  assert.match(await call("test_input_required_result_request_state"), /state-ok/);
  assert.match(await call("test_streaming_elicitation"), /Ada/);
  const prompt = await client.getPrompt({ name: "test_input_required_result_prompt" });
  assert.match(prompt.messages[0].content.text, /Ada/);
});

check("a listener hears what it asked for and nothing else", async () => {
  const uri = "test://static-text";
  const stream = await client.listen({ promptsListChanged: true, resourceSubscriptions: [uri] });
  assert.deepEqual(stream.honoredFilter.resourceSubscriptions, [uri]);
  await call("touch", { uri: WATCHED });
  await call("test_trigger_tool_change");
  await call("touch", { uri });
  await call("test_trigger_prompt_change");
  const heard = [];
  await news.find("the prompts", (one) => heard.push(one) && one === "prompts");
  // The legacy child tells one that is new as soon as it is subscribed to.
  assert.deepEqual([...new Set(heard)], [uri, "prompts"]);
  await stream.close();
  assert.equal(await within(stream.closed, "the end"), "local");
});

check("a call whose client went away is cancelled at the server", async () => {
  const before = Number(await call("cancelled"));
  const stop = new AbortController();
  const options = { signal: stop.signal, onprogress: () => stop.abort("enough") };
  await assert.rejects(within(call("wait_for_ever", {}, options), "the cancelled call"), /enough/);
  while (Number(await call("cancelled")) === before);
});

check("many calls of two clients with equal ids each get their own answer", async () => {
  const other = await connect();
  const both = [client, other.client].flatMap((one, which) =>
    Array.from({ length: 50 }, async (_, n) => {
      const text = `${which} ${n}`;
      const result = await one.callTool({ name: "echo", arguments: { text } });
      assert.equal(textOf(result), text);
    }),
  );
  await Promise.all(both);
  await other.client.close();
});

check("the ids 1, \"1\" and a string with escapes stay three", async () => {
  const answers = [1, "1", '"\\ü\u0000', 2 ** 53 - 1].map(async (id) => {
    const _meta = {
      [`${META}protocolVersion`]: "2026-07-28",
      [`${META}clientCapabilities`]: {},
    };
    const params = { name: "echo", arguments: { text: `for ${typeof id} ${id}` }, _meta };
    const headers = {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": "tools/call",
      "mcp-name": "echo",
    };
    const request = { jsonrpc: "2.0", id, method: "tools/call", params };
    const { messages } = await post(url, request, headers);
    const answer = messages.find((one) => one.result !== undefined);
    assert.strictEqual(answer.id, id);
    assert.equal(textOf(answer.result), params.arguments.text);
    assert.equal(answer.result.resultType, "complete");
  });
  await Promise.all(answers);
});

await finish(`typescript stateless, ${server}`);
