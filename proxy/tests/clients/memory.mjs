// The official TypeScript client, through the proxy, to server-memory: state that a
// server keeps, and updates of a resource that a call causes.
//
//     node memory.mjs http://127.0.0.1:8080/mcp

import assert from "node:assert/strict";
import { check, connect, finish, textOf } from "./check.mjs";

const url = process.argv[2];
const GRAPH = "memory://knowledge-graph";
const { client, transport, updates } = await connect(url);
const call = (name, args = {}) => client.callTool({ name, arguments: args });
const ada = { name: "Ada", entityType: "person", observations: ["wrote the first program"] };

check("what is remembered is read back", async () => {
  await call("create_entities", { entities: [ada] });
  const graph = JSON.parse(textOf(await call("read_graph")));
  assert.deepEqual(graph.entities.find((entity) => entity.name === "Ada"), ada);
});

check("a subscriber hears of a change that a call made", async () => {
  await client.subscribeResource({ uri: GRAPH });
  const contents = ["knew Babbage"];
  await call("add_observations", { observations: [{ entityName: "Ada", contents }] });
  await updates.find("the update", (uri) => uri === GRAPH);
  await client.unsubscribeResource({ uri: GRAPH });
});

check("the resource shows the change", async () => {
  const { contents } = await client.readResource({ uri: GRAPH });
  assert.match(contents[0].text, /knew Babbage/);
});

check("a search finds it", async () => {
  const found = JSON.parse(textOf(await call("search_nodes", { query: "babbage" })));
  assert.deepEqual(found.entities.map((entity) => entity.name), ["Ada"]);
});

check("a second session sees what the first one stored", async () => {
  const second = await connect(url);
  const result = await second.client.callTool({ name: "open_nodes", arguments: { names: ["Ada"] } });
  assert.equal(JSON.parse(textOf(result)).entities.length, 1);
  await second.transport.terminateSession();
  await second.client.close();
});

check("the session ends", async () => {
  await transport.terminateSession();
  await client.close();
});

await finish("typescript memory");
