// The official TypeScript client, through the proxy, to server-filesystem. This server
// asks for roots outside any call, as soon as it is initialised, and serves what it is told.
//
//     node filesystem.mjs http://127.0.0.1:8080/mcp /an/empty/folder

import assert from "node:assert/strict";
import { readFile, realpath } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { check, connect, finish, textOf, within } from "./check.mjs";

const [url, given] = process.argv.slice(2);
const folder = await realpath(given);
const asked = Promise.withResolvers();
const roots = {
  // The SDK reads the list whenever the server asks, so a getter sees the question.
  get roots() {
    asked.resolve();
    return [{ uri: pathToFileURL(folder).href, name: "work" }];
  },
};
const { client, transport } = await connect(url, roots);
const call = (name, args) => client.callTool({ name, arguments: args });

check("the server asks for roots although no call is in flight", async () => {
  await within(asked.promise, "roots/list");
});

check("the folder that was given is the folder that is served", async () => {
  assert.ok(textOf(await call("list_allowed_directories", {})).includes(folder));
});

check("a file is written, read, listed and moved", async () => {
  const path = join(folder, "grüße.txt");
  const content = "one\ntwo\r\nthree \u2028 🦀\n";
  await call("write_file", { path, content });
  assert.equal(await readFile(path, "utf8"), content);
  assert.equal(textOf(await call("read_text_file", { path })), content);
  assert.match(textOf(await call("list_directory", { path: folder })), /\[FILE\] grüße\.txt/);
  const destination = join(folder, "moved.txt");
  await call("move_file", { source: path, destination });
  assert.equal(await readFile(destination, "utf8"), content);
});

check("a file of a megabyte comes back whole", async () => {
  const path = join(folder, "large.txt");
  const content = "a line of text that is not very long\n".repeat(28_000);
  await call("write_file", { path, content });
  assert.equal(textOf(await call("read_text_file", { path })), content);
});

check("a path outside is refused by the server, not by the road", async () => {
  const result = await call("read_text_file", { path: "/etc/hostname" });
  assert.equal(result.isError, true);
  assert.match(textOf(result), /outside allowed directories/);
});

check("the session ends", async () => {
  await transport.terminateSession();
  await client.close();
});

await finish("typescript filesystem");
