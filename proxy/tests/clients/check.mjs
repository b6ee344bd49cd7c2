// What every client script shares: connecting the official TypeScript SDK to the
// proxy, one line per check, and waiting for facts with a deadline.
//
// The SDK is resolved from the working folder, because that is where
// `cargo xtask` keeps the pinned packages; this folder has none.

import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
export const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
export const { StreamableHTTPClientTransport } = require(
  "@modelcontextprotocol/sdk/client/streamableHttp.js",
);
export const { SSEClientTransport } = require("@modelcontextprotocol/sdk/client/sse.js");
export const types = require("@modelcontextprotocol/sdk/types.js");

// A machine with two busy cores answers within this; a lost message never does.
const DEADLINE_MS = 20_000;

const checks = [];
let failed = 0;

/** Registers a check; `run` fails by throwing. */
export function check(name, run) {
  checks.push({ name, run });
}

/** Runs the checks in order, prints one line each, and ends the process. */
export async function finish(prefix) {
  for (const { name, run } of checks) {
    try {
      await within(run(), `"${name}"`);
      console.log(`ok ${prefix}: ${name}`);
    } catch (error) {
      failed += 1;
      const why = String(error?.stack ?? error).replaceAll("\n", "\n    ");
      console.log(`not ok ${prefix}: ${name}\n    ${why}`);
    }
  }
  process.exit(failed === 0 ? 0 : 1);
}

/** The value of `promise`, or an error that names `what` after the deadline. */
export function within(promise, what, ms = DEADLINE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** A list that can be waited on: `find` resolves with the first item that is wanted. */
export function inbox() {
  const items = [];
  const waiting = new Set();
  return {
    push(item) {
      items.push(item);
      for (const one of waiting) if (one.wanted(item)) one.resolve(item);
    },
    find(what, wanted = () => true) {
      const here = items.find(wanted);
      if (here !== undefined) return Promise.resolve(here);
      let one;
      const found = new Promise((resolve) => waiting.add((one = { wanted, resolve })));
      return within(found, what).finally(() => waiting.delete(one));
    },
  };
}

/** A connected client that answers every question the protocol knows. */
export function connect(url, answering = {}) {
  return connectOver(new StreamableHTTPClientTransport(new URL(url)), answering);
}

/** The same over a transport of the caller's choice. */
export async function connectOver(transport, answering = {}) {
  const client = new Client(
    { name: "typescript-client", version: "1.0.0" },
    { capabilities: { roots: { listChanged: true }, sampling: {}, elicitation: { form: {} } } },
  );
  const logs = inbox();
  const updates = inbox();
  client.setNotificationHandler(types.LoggingMessageNotificationSchema, (m) => logs.push(m.params));
  client.setNotificationHandler(types.ResourceUpdatedNotificationSchema, (m) =>
    updates.push(m.params.uri),
  );
  client.setRequestHandler(types.ListRootsRequestSchema, async () => ({
    roots: answering.roots ?? [],
  }));
  client.setRequestHandler(types.ElicitRequestSchema, async (request) =>
    answering.elicit(request.params),
  );
  client.setRequestHandler(types.CreateMessageRequestSchema, async (request) =>
    answering.sample(request.params),
  );
  await client.connect(transport);
  return { client, transport, logs, updates };
}

/**
 * A growing list of progress and answers in the order they arrive, taken below the client: the SDK
 * runs a notification's handler a turn later than an answer's, and so forgets the progress that
 * comes in one piece with the answer.
 */
export function overhear(transport) {
  const heard = [];
  const deliver = transport.onmessage;
  transport.onmessage = (message, extra) => {
    if (message.method === "notifications/progress") heard.push(message.params.progress);
    if (message.result !== undefined) heard.push("answer");
    deliver(message, extra);
  };
  return heard;
}

/** The texts of a tool result, joined. */
export function textOf(result) {
  return result.content.map((block) => block.text ?? "").join("\n");
}

/** Posts one message as a client would, outside the SDK; parses JSON and SSE answers. */
export async function post(url, message, headers = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
    body: JSON.stringify(message),
  });
  const body = await response.text();
  const kind = response.headers.get("content-type") ?? "";
  const messages = kind.startsWith("text/event-stream")
    ? body
        .split("\n")
        .filter((line) => line.startsWith("data:") && line.length > "data: ".length)
        .map((line) => JSON.parse(line.slice("data:".length)))
    : [];
  if (kind.startsWith("application/json") && body !== "") messages.push(JSON.parse(body));
  return { status: response.status, headers: response.headers, messages };
}
