// The official TypeScript clients sign in at a real authorization server, knowing nothing but the
// proxy's URL: SDK 1.x in a session, client v2 on 2026-07-28. Then a machine by client credentials.
//
//     node oauth.mjs http://127.0.0.1:8080/mcp

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { check, Client, finish, StreamableHTTPClientTransport } from "./check.mjs";

const require = createRequire(join(process.cwd(), "package.json"));
const modern = require("@modelcontextprotocol/client");

const url = process.argv[2];
const REDIRECT = "http://127.0.0.1:9/callback";

/** What an SDK keeps between its steps, and where its person would be sent. */
class Person {
  constructor(name) {
    this.name = name;
    this.kept = {};
  }
  get redirectUrl() {
    return REDIRECT;
  }
  get clientMetadata() {
    return {
      client_name: this.name,
      application_type: "native",
      redirect_uris: [REDIRECT],
      grant_types: ["authorization_code"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
  }
  clientInformation() {
    return this.kept.client;
  }
  saveClientInformation(client) {
    this.kept.client = client;
  }
  tokens() {
    return this.kept.tokens;
  }
  saveTokens(tokens) {
    this.kept.tokens = tokens;
  }
  redirectToAuthorization(where) {
    this.where = where;
  }
  saveCodeVerifier(verifier) {
    this.kept.verifier = verifier;
  }
  saveDiscoveryState(state) {
    this.kept.discovery = state;
  }
  discoveryState() {
    return this.kept.discovery;
  }
  codeVerifier() {
    return this.kept.verifier;
  }
}

/** Does in the browser what a person would: signs in, agrees, and is sent back with a code. */
async function signIn(start, name) {
  const cookies = new Map();
  let next = start;
  for (let step = 0; step < 20; step += 1) {
    let response = await visit(next, cookies);
    if (response.status === 200) {
      const page = await response.text();
      const [, action] = /action="([^"]+)"/.exec(page) ?? assert.fail(page);
      const [, prompt] = /name="prompt" value="([^"]+)"/.exec(page) ?? assert.fail(page);
      const form = { prompt, login: name, password: "anything" };
      response = await visit(new URL(action, next), cookies, new URLSearchParams(form));
    }
    const location = response.headers.get("location") ?? assert.fail(`${response.status} ${next}`);
    next = new URL(location, next);
    if (next.href.startsWith(REDIRECT)) {
      const code = next.searchParams.get("code") ?? assert.fail(next.href);
      // Who gave it out (RFC 9207), which client v2 compares and SDK 1.x does not read.
      return [code, next.searchParams.get("iss")];
    }
  }
  return assert.fail(`still at ${next}`);
}

async function visit(where, cookies, body = undefined) {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  const method = body === undefined ? "GET" : "POST";
  const response = await fetch(where, { method, body, headers: { cookie }, redirect: "manual" });
  for (const line of response.headers.getSetCookie()) {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
    cookies.set(name, value);
  }
  return response;
}

function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
}

/** Connects as far as the authorization server, signs in, and connects. */
async function connected(sdk, name, options = {}) {
  const person = new Person(name);
  const made = () => ({
    client: new sdk.Client({ name, version: "1.0.0" }, options),
    transport: new sdk.StreamableHTTPClientTransport(new URL(url), { authProvider: person }),
  });
  const first = made();
  await assert.rejects(first.client.connect(first.transport), /unauthorized/i);
  assert.ok(person.where, "it was not sent to the authorization server");
  await first.transport.finishAuth(...(await signIn(person.where, name)));
  const second = made();
  await second.client.connect(second.transport);
  return { ...second, person };
}

async function post(token, message) {
  return fetch(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }),
  });
}

const INITIALIZE = {
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "m", version: "1" } },
};

let legacy;
let stateless;

check("SDK 1.x signs in and holds a session", async () => {
  legacy = await connected({ Client, StreamableHTTPClientTransport }, "ada");
  const { tools } = await legacy.client.listTools();
  assert.ok(tools.length > 0);
});

check("client v2 signs in and stays on 2026-07-28", async () => {
  stateless = await connected(modern, "grace", { versionNegotiation: { mode: "auto" } });
  assert.equal(stateless.client.getProtocolEra(), "modern");
  const { tools } = await stateless.client.listTools();
  assert.ok(tools.length > 0);
});

check("the token was for this endpoint, and asked for what the challenge names", () => {
  for (const { person } of [legacy, stateless]) {
    const claims = claimsOf(person.tokens().access_token);
    assert.equal(claims.aud, url);
    assert.equal(claims.sub, person.name);
    assert.ok(claims.scope.split(" ").includes("mcp:use"), claims.scope);
    assert.ok(!claims.scope.split(" ").includes("tools:write"), claims.scope);
  }
});

check("a session is its person's, whoever holds a good token", async () => {
  const id = legacy.transport.sessionId;
  const ask = (token) =>
    fetch(url, {
      method: "DELETE",
      headers: { authorization: `Bearer ${token}`, "mcp-session-id": id },
    });
  assert.equal((await ask(stateless.person.tokens().access_token)).status, 404);
  await legacy.client.ping();
});

check("a tool beyond the token's scopes is 403 with the scope to ask for", async () => {
  const message = { method: "tools/call", params: { name: "test_simple_text", arguments: {} } };
  const answer = await fetch(url, {
    method: "POST",
    headers: {
      authorization: `Bearer ${legacy.person.tokens().access_token}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-session-id": legacy.transport.sessionId,
      "mcp-protocol-version": "2025-11-25",
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }),
  });
  assert.equal(answer.status, 403);
  const challenge = answer.headers.get("www-authenticate");
  assert.match(challenge, /error="insufficient_scope"/);
  assert.match(challenge, /scope="mcp:use tools:write"/);
});

check("a machine has a token of its own by client credentials", async () => {
  const metadata = await (await fetch(new URL("/.well-known/oauth-protected-resource/mcp", url))).json();
  assert.equal(metadata.resource, url);
  const [issuer] = metadata.authorization_servers;
  const place = `${issuer}/.well-known/openid-configuration`;
  const { token_endpoint: endpoint } = await (await fetch(place)).json();
  const ask = async (scope, resource = url) => {
    const form = { grant_type: "client_credentials", scope, resource };
    const credentials = Buffer.from("machine:correct-horse-battery-staple").toString("base64");
    const answer = await fetch(endpoint, {
      method: "POST",
      headers: { authorization: `Basic ${credentials}` },
      body: new URLSearchParams(form),
    });
    return (await answer.json()).access_token;
  };
  assert.equal((await post(await ask("mcp:use"), INITIALIZE)).status, 200);
  // Good tokens, and not for this: another server's, and one that may not come in.
  const elsewhere = await post(await ask("mcp:use", "https://other.example/mcp"), INITIALIZE);
  assert.equal(elsewhere.status, 401);
  assert.match(elsewhere.headers.get("www-authenticate"), /error="invalid_token"/);
  const other = await post(await ask("tools:write"), INITIALIZE);
  assert.equal(other.status, 403);
});

check("they part", async () => {
  await legacy.client.close();
  await stateless.client.close();
});

await finish("oauth.mjs");
