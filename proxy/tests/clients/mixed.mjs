// Old and new TypeScript clients at the same time, until the time is over: HTTP+SSE and sessions
// with the SDK 1.x, 2026-07-28 with the client v2, all through one proxy to the dual-era child.
//
//     node mixed.mjs http://127.0.0.1:8080/mcp SECONDS

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import {
  Client,
  SSEClientTransport,
  StreamableHTTPClientTransport,
  overhear,
  textOf,
  within,
} from "./check.mjs";

const require = createRequire(join(process.cwd(), "package.json"));
const v2 = require("@modelcontextprotocol/client");

const url = new URL(process.argv[2]);
const until = performance.now() + Number(process.argv[3]) * 1000;
// Two of each kind, so that clients of one kind cannot be taken for each other either.
const CLIENTS = 2;
// A new connection now and then, because starting and ending is where eras differ most.
const ROUNDS_PER_CONNECTION = 40;
// No call waits for a person here; one that takes longer is lost.
const CALL_MS = 30_000;

const about = { name: "typescript-mixed", version: "1.0.0" };

const kinds = {
  "typescript 1.x sse": async () => {
    const client = new Client(about);
    const transport = new SSEClientTransport(new URL("/sse", url));
    await client.connect(transport);
    return {
      heard: overhear(transport),
      call: (params, options) => client.callTool(params, undefined, options),
      tools: () => client.listTools(),
      close: () => client.close(),
    };
  },
  "typescript 1.x session": async () => {
    const client = new Client(about);
    const transport = new StreamableHTTPClientTransport(url);
    await client.connect(transport);
    return {
      heard: overhear(transport),
      call: (params, options) => client.callTool(params, undefined, options),
      tools: () => client.listTools(),
      close: async () => {
        await transport.terminateSession();
        await client.close();
      },
    };
  },
  "typescript 2.x stateless": async () => {
    const client = new v2.Client(about, { versionNegotiation: { mode: "auto" } });
    const transport = new v2.StreamableHTTPClientTransport(url);
    await client.connect(transport);
    assert.equal(client.getProtocolEra(), "modern");
    return {
      heard: overhear(transport),
      call: (params, options) => client.callTool(params, options),
      // What the server said may be kept is of no use here.
      tools: () => client.listTools(undefined, { cacheMode: "refresh" }),
      close: () => client.close(),
    };
  },
};

async function oneRound(client, text, count) {
  const names = (await client.tools()).tools.map((tool) => tool.name);
  assert.ok(names.includes("echo") && names.includes("test_tool_with_progress"), String(names));
  count.lists += 1;
  assert.equal(textOf(await client.call({ name: "echo", arguments: { text } })), text);
  client.heard.length = 0;
  const slow = { name: "test_tool_with_progress", arguments: {} };
  // Asking for progress is what makes the client send a token.
  const answer = await client.call(slow, { onprogress: () => {} });
  assert.equal(textOf(answer), "Progressed from 0 to 100.");
  assert.deepEqual(client.heard, [0, 50, 100, "answer"]);
  count.calls += 2;
  count.notifications += 3;
}

async function keepCalling(name, connect, count) {
  while (performance.now() < until) {
    const client = await within(connect(), "a connection", CALL_MS);
    count.connections += 1;
    for (let n = 0; n < ROUNDS_PER_CONNECTION && performance.now() < until; n += 1) {
      const text = `${name} ${count.connections} ${n} é\u2028`;
      await within(oneRound(client, text, count), "a round", CALL_MS);
    }
    await client.close();
  }
}

async function kind(name, connect) {
  const count = { connections: 0, lists: 0, calls: 0, notifications: 0 };
  const said = () =>
    Object.entries(count)
      .map(([what, many]) => `${many} ${what}`)
      .join(", ");
  const clients = Array.from({ length: CLIENTS }, (_, n) =>
    keepCalling(`${name} ${n}`, connect, count),
  );
  try {
    await Promise.all(clients);
    console.log(`ok mixed ${name}: ${said()}`);
    return true;
  } catch (error) {
    console.log(`not ok mixed ${name}: ${said()}; then ${String(error).replaceAll("\n", " ")}`);
    return false;
  }
}

const passed = await Promise.all(Object.entries(kinds).map(([name, one]) => kind(name, one)));
process.exit(passed.every(Boolean) ? 0 : 1);
