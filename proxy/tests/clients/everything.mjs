// The official TypeScript client, through the proxy, to server-everything: every
// feature of a session that this server can show.
//
//     node everything.mjs http://127.0.0.1:8080/mcp

import assert from "node:assert/strict";
import { check, connect, finish, inbox, post, textOf, types, within } from "./check.mjs";

const url = process.argv[2];
const roots = [{ uri: "file:///workspace/one", name: "one" }];
const questions = [];
const prompts = [];
const answering = {
  roots,
  elicit: (params) => {
    questions.push(params);
    return { action: "accept", content: { name: "Ada", integer: 42 } };
  },
  sample: (params) => {
    prompts.push(params);
    const content = { type: "text", text: "Paris, naturally." };
    return { role: "assistant", model: "a-model", content };
  },
};
const { client, transport, logs, updates } = await connect(url, answering);

const call = (name, args = {}, options = undefined) =>
  client.callTool({ name, arguments: args }, undefined, options);

check("initialize names the server and gives a session", () => {
  assert.equal(client.getServerVersion().name, "mcp-servers/everything");
  assert.match(transport.sessionId, /^[\x21-\x7e]+$/);
  assert.equal(transport.protocolVersion, "2025-11-25");
  assert.ok(client.getInstructions().length > 0);
});

check("ping", () => client.ping());

check("tools are listed, also those that depend on the client", async () => {
  const names = (await client.listTools()).tools.map((tool) => tool.name);
  for (const name of ["echo", "get-sum", "trigger-sampling-request", "get-roots-list"]) {
    assert.ok(names.includes(name), `${name} is missing from ${names}`);
  }
});

check("tools answer with text, image, resource and structured content", async () => {
  assert.match(textOf(await call("echo", { message: "grüße 🦀" })), /grüße 🦀/);
  assert.match(textOf(await call("get-sum", { a: 2, b: 40 })), /42/);
  const image = (await call("get-tiny-image")).content.find((block) => block.type === "image");
  assert.equal(Buffer.from(image.data, "base64").subarray(1, 4).toString(), "PNG");
  const weather = await call("get-structured-content", { location: "Chicago" });
  assert.equal(typeof weather.structuredContent.temperature, "number");
  const links = await call("get-resource-links", { count: 4 });
  assert.equal(links.content.filter((block) => block.type === "resource_link").length, 4);
});

check("an error of a tool arrives as one", async () => {
  const result = await call("get-sum", { a: "two" });
  assert.equal(result.isError, true);
});

check("an unknown method is the server's own error", async () => {
  const request = client.request({ method: "no/such" }, types.EmptyResultSchema);
  await assert.rejects(request, (error) => error.code === -32601);
});

check("a large argument comes back whole", async () => {
  const message = "0123456789abcdef".repeat(64 * 1024);
  assert.ok(textOf(await call("echo", { message })).endsWith(message));
});

check("resources and templates are listed and read", async () => {
  const { resources } = await client.listResources();
  assert.ok(resources.length > 0);
  const { contents } = await client.readResource({ uri: resources[0].uri });
  assert.ok(contents[0].text.length > 0);
  const { resourceTemplates } = await client.listResourceTemplates();
  assert.ok(resourceTemplates.length >= 2);
  const blob = await client.readResource({ uri: "demo://resource/dynamic/blob/1" });
  assert.ok(Buffer.from(blob.contents[0].blob, "base64").length > 0);
});

check("prompts are listed, filled in and completed", async () => {
  const names = (await client.listPrompts()).prompts.map((prompt) => prompt.name);
  assert.ok(names.includes("args-prompt"));
  const args = { city: "Chicago", state: "Illinois" };
  const filled = await client.getPrompt({ name: "args-prompt", arguments: args });
  assert.match(filled.messages[0].content.text, /Chicago, Illinois/);
  const { completion } = await client.complete({
    ref: { type: "ref/prompt", name: "completable-prompt" },
    argument: { name: "department", value: "E" },
  });
  assert.deepEqual(completion.values, ["Engineering"]);
});

check("progress arrives in order and before the answer", async () => {
  const seen = [];
  let answered = false;
  const onprogress = ({ progress, total }) => {
    assert.equal(answered, false);
    seen.push(`${progress}/${total}`);
  };
  const args = { duration: 0.4, steps: 20 };
  await call("trigger-long-running-operation", args, { onprogress });
  answered = true;
  assert.deepEqual(seen, Array.from({ length: 20 }, (_, step) => `${step + 1}/20`));
});

check("the server asks the client's model", async () => {
  const result = await call("trigger-sampling-request", { prompt: "Capital?", maxTokens: 7 });
  assert.match(textOf(result), /Paris, naturally\./);
  assert.equal(prompts.length, 1);
  assert.equal(prompts[0].maxTokens, 7);
});

check("the server asks the person", async () => {
  const result = await call("trigger-elicitation-request");
  assert.match(textOf(result), /Name: Ada/);
  assert.equal(questions.length, 1);
  assert.ok(questions[0].requestedSchema.properties.legacyTitledEnum);
});

check("the server asks for roots, and again when they change", async () => {
  assert.match(textOf(await call("get-roots-list")), /file:\/\/\/workspace\/one/);
  roots.push({ uri: "file:///workspace/two", name: "two" });
  await client.sendRootsListChanged();
  // The server logs once it has read the new list; that question and that line belong to
  // no call, so both travel on the standalone stream.
  await logs.find("the log line about two roots", ({ data }) => /\b2 root/.test(data));
  assert.match(textOf(await call("get-roots-list")), /file:\/\/\/workspace\/two/);
});

check("log lines arrive at the level that was asked for", async () => {
  await client.setLoggingLevel("debug");
  await call("toggle-simulated-logging");
  const line = await logs.find("a simulated line", ({ data }) => /level.message/.test(data));
  assert.ok(line.level.length > 0);
  await call("toggle-simulated-logging");
});

check("an update of a subscribed resource arrives", async () => {
  const uri = "demo://resource/dynamic/text/1";
  await client.subscribeResource({ uri });
  await call("toggle-subscriber-updates");
  await updates.find("an update", (updated) => updated === uri);
  await call("toggle-subscriber-updates");
  await client.unsubscribeResource({ uri });
});

check("a cancelled call ends at once and the session goes on", async () => {
  const stop = new AbortController();
  const started = inbox();
  const options = { signal: stop.signal, onprogress: started.push };
  const slow = call("trigger-long-running-operation", { duration: 60, steps: 600 }, options);
  slow.catch(() => {});
  await started.find("the first progress");
  stop.abort("enough");
  await assert.rejects(within(slow, "the cancelled call"), /enough/);
  assert.match(textOf(await call("echo", { message: "still here" })), /still here/);
});

check("a task of 2025-11-25 is created, followed and collected", async () => {
  const kinds = [];
  const task = { ttl: 60_000 };
  const params = { name: "simulate-research-query", arguments: { topic: "bridges" } };
  const stream = client.experimental.tasks.callToolStream(
    params,
    types.CallToolResultSchema,
    { task },
  );
  for await (const message of stream) {
    kinds.push(message.type);
    if (message.type === "result") assert.match(textOf(message.result), /bridges/);
    assert.notEqual(message.type, "error", String(message.error));
  }
  assert.equal(kinds[0], "taskCreated");
  assert.equal(kinds.at(-1), "result");
});

check("many calls at once each get their own answer", async () => {
  const sums = Array.from({ length: 100 }, async (_, n) => {
    assert.match(textOf(await call("get-sum", { a: n, b: 1000 })), new RegExp(`\\b${n + 1000}\\b`));
  });
  await Promise.all(sums);
});

check("two sessions with equal ids and tokens never see each other's messages", async () => {
  // Each SDK client counts its ids from 0, so two fresh ones use the same ids and tokens.
  const run = async (name) => {
    const own = await connect(url, answering);
    const seen = [];
    const onprogress = ({ progress }) => seen.push(progress);
    const slow = own.client.callTool(
      { name: "trigger-long-running-operation", arguments: { duration: 0.3, steps: 3 } },
      undefined,
      { onprogress },
    );
    for (let n = 0; n < 25; n += 1) {
      const message = `${name} ${n}`;
      const result = await own.client.callTool({ name: "echo", arguments: { message } });
      assert.equal(textOf(result), `Echo: ${message}`);
    }
    await slow;
    assert.deepEqual(seen, [1, 2, 3]);
    await own.transport.terminateSession();
    await own.client.close();
  };
  await Promise.all([run("left"), run("right")]);
});

check("the ids 1, \"1\" and a string with escapes stay three", async () => {
  const headers = {
    "mcp-session-id": transport.sessionId,
    "mcp-protocol-version": transport.protocolVersion,
  };
  const ids = [1, "1", '"\\ü\u0000', 2 ** 53 - 1];
  const answers = ids.map(async (id) => {
    const params = { name: "echo", arguments: { message: `for ${typeof id} ${id}` } };
    const message = { jsonrpc: "2.0", id, method: "tools/call", params };
    const { messages } = await post(url, message, headers);
    const answer = messages.find((one) => one.result !== undefined);
    assert.strictEqual(answer.id, id);
    assert.equal(textOf(answer.result), `Echo: for ${typeof id} ${id}`);
  });
  await Promise.all(answers);
});

check("a deleted session is gone", async () => {
  const headers = {
    "mcp-session-id": transport.sessionId,
    "mcp-protocol-version": transport.protocolVersion,
  };
  await transport.terminateSession();
  assert.equal(transport.sessionId, undefined);
  const { status } = await post(url, { jsonrpc: "2.0", id: 1, method: "ping" }, headers);
  assert.equal(status, 404);
});

await finish("typescript everything");
