// Three sessions and a client of 2026-07-28 at once, for a machine with little memory.
//
// Each calls the tools of server-everything again and again, and checks what comes back. Nothing but
// Node.js is needed, so that what is measured beside it is the proxy and its servers.
//
//     node small.mjs http://127.0.0.1:8080/mcp SECONDS

const [url, seconds] = process.argv.slice(2);
const until = Date.now() + Number(seconds) * 1000;
const META = "io.modelcontextprotocol/";
const MODERN = "2026-07-28";

// The answer to one message: JSON, or the last message of a stream.
async function ask(message, headers) {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...headers,
    },
    body: JSON.stringify(message),
  });
  const text = await response.text();
  const type = response.headers.get("content-type") ?? "";
  const data = type.startsWith("text/event-stream")
    ? text.split("\n").findLast((line) => line.startsWith("data: {"))?.slice(6)
    : text;
  return { status: response.status, headers: response.headers, answer: data && JSON.parse(data) };
}

function expect(fact, what) {
  if (!fact) throw new Error(JSON.stringify(what)?.slice(0, 500));
}

// Calls until the time is over; `call` sends one call of a tool and gives its result.
async function work(call) {
  let calls = 0;
  while (Date.now() < until) {
    const echo = await call("echo", { message: `call ${calls}` });
    expect(echo.content[0].text.includes(`call ${calls}`), echo);
    const image = await call("get-tiny-image", {});
    expect(image.content.some((part) => part.type === "image"), image);
    calls += 2;
  }
  return calls;
}

async function session() {
  const initialize = {
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: {
      protocolVersion: "2025-11-25",
      capabilities: {},
      clientInfo: { name: "small", version: "1" },
    },
  };
  const begun = await ask(initialize, {});
  expect(begun.status === 200, begun.answer);
  const headers = {
    "mcp-session-id": begun.headers.get("mcp-session-id"),
    "mcp-protocol-version": "2025-11-25",
  };
  await ask({ jsonrpc: "2.0", method: "notifications/initialized" }, headers);
  let id = 0;
  return work(async (name, args) => {
    const params = { name, arguments: args };
    const { answer } = await ask({ jsonrpc: "2.0", id: ++id, method: "tools/call", params }, headers);
    expect(answer.result, answer);
    return answer.result;
  });
}

function stateless() {
  const _meta = {
    [`${META}protocolVersion`]: MODERN,
    [`${META}clientInfo`]: { name: "small", version: "1" },
    [`${META}clientCapabilities`]: {},
  };
  let id = 0;
  return work(async (name, args) => {
    const headers = {
      "mcp-protocol-version": MODERN,
      "mcp-method": "tools/call",
      "mcp-name": name,
    };
    const params = { name, arguments: args, _meta };
    const { answer } = await ask({ jsonrpc: "2.0", id: ++id, method: "tools/call", params }, headers);
    expect(answer.result, answer);
    return answer.result;
  });
}

let failed = false;
const clients = { "session 1": session, "session 2": session, "session 3": session, [MODERN]: stateless };
await Promise.all(
  Object.entries(clients).map(async ([name, client]) => {
    try {
      console.log(`ok ${name}: ${await client()} calls`);
    } catch (error) {
      failed = true;
      console.log(`not ok ${name}: ${error.message}`);
    }
  }),
);
process.exitCode = failed ? 1 : 0;
