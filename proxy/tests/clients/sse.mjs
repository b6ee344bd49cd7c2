// The official TypeScript client over its old transport, HTTP+SSE, through the proxy, to
// server-everything: one connection for everything, in both directions.
//
//     node sse.mjs http://127.0.0.1:8080/mcp

import assert from "node:assert/strict";
import {
  check,
  connectOver,
  finish,
  overhear,
  post,
  SSEClientTransport,
  textOf,
  within,
} from "./check.mjs";

const endpoint = new URL("/sse", process.argv[2]);
const answering = {
  roots: [{ uri: "file:///workspace/old", name: "old" }],
  elicit: () => ({ action: "accept", content: { name: "Ada", integer: 42 } }),
  sample: () => ({
    role: "assistant",
    model: "a-model",
    content: { type: "text", text: "Paris, naturally." },
  }),
};
const open = () => connectOver(new SSEClientTransport(endpoint), answering);
const { client, transport, logs, updates } = await open();

const call = (name, args = {}, options = undefined) =>
  client.callTool({ name, arguments: args }, undefined, options);

check("initialize names the server", () => {
  assert.equal(client.getServerVersion().name, "mcp-servers/everything");
});

check("tools, resources and prompts are listed and used", async () => {
  assert.ok((await client.listTools()).tools.length > 0);
  assert.match(textOf(await call("echo", { message: "grüße 🦀" })), /grüße 🦀/);
  const { resources } = await client.listResources();
  const { contents } = await client.readResource({ uri: resources[0].uri });
  assert.ok(contents[0].text.length > 0);
  assert.ok((await client.listPrompts()).prompts.length > 0);
});

check("a large argument comes back whole", async () => {
  const message = "0123456789abcdef".repeat(64 * 1024);
  assert.ok(textOf(await call("echo", { message })).endsWith(message));
});

check("progress arrives in order and before the answer", async () => {
  const heard = overhear(transport);
  const onprogress = () => {};
  await call("trigger-long-running-operation", { duration: 0.4, steps: 20 }, { onprogress });
  assert.deepEqual(heard, [...Array.from({ length: 20 }, (_, step) => step + 1), "answer"]);
});

check("the server asks the model, the person and for roots", async () => {
  const sampled = await call("trigger-sampling-request", { prompt: "Capital?", maxTokens: 7 });
  assert.match(textOf(sampled), /Paris, naturally\./);
  assert.match(textOf(await call("trigger-elicitation-request")), /Name: Ada/);
  assert.match(textOf(await call("get-roots-list")), /file:\/\/\/workspace\/old/);
});

check("log lines and updates of a resource arrive", async () => {
  await client.setLoggingLevel("debug");
  await call("toggle-simulated-logging");
  await logs.find("a simulated line", ({ data }) => /level.message/.test(data));
  await call("toggle-simulated-logging");
  const uri = "demo://resource/dynamic/text/1";
  await client.subscribeResource({ uri });
  await call("toggle-subscriber-updates");
  await updates.find("an update", (updated) => updated === uri);
  await call("toggle-subscriber-updates");
});

check("a cancelled call ends at once and the session goes on", async () => {
  const stop = new AbortController();
  let begun;
  const started = new Promise((resolve) => (begun = resolve));
  const options = { signal: stop.signal, onprogress: begun };
  const slow = call("trigger-long-running-operation", { duration: 60, steps: 600 }, options);
  slow.catch(() => {});
  await within(started, "the first progress");
  stop.abort("enough");
  await assert.rejects(within(slow, "the cancelled call"), /enough/);
  assert.match(textOf(await call("echo", { message: "still here" })), /still here/);
});

check("two connections with equal ids never see each other's messages", async () => {
  const run = async (name) => {
    const own = await open();
    for (let n = 0; n < 25; n += 1) {
      const message = `${name} ${n}`;
      const result = await own.client.callTool({ name: "echo", arguments: { message } });
      assert.equal(textOf(result), `Echo: ${message}`);
    }
    await own.client.close();
  };
  await Promise.all([run("left"), run("right")]);
});

check("the end of the connection is the end of the session", async () => {
  // The SDK keeps the address it was given here.
  const address = transport._endpoint;
  await client.close();
  const gone = async () => {
    for (;;) {
      const { status } = await post(address, { jsonrpc: "2.0", id: 1, method: "ping" });
      if (status === 404) return;
    }
  };
  await within(gone(), "404");
});

await finish("typescript sse");
