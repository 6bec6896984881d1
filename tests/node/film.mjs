// A whole film by the TypeScript client of MCP: `node film.mjs ERA COMMAND...`, run where the client is installed.
// Prints one line of JSON: the film, what the person was asked, the tasks that ended, what the server declared.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { TASKS, TaskTransport } from "./tasks.mjs";

const require = createRequire(pathToFileURL(process.cwd() + "/"));
const { Client } = await import(pathToFileURL(require.resolve("@modelcontextprotocol/client")));
const { StdioClientTransport } = await import(
  pathToFileURL(require.resolve("@modelcontextprotocol/client/stdio"))
);

const [era, command, ...args] = process.argv.slice(2);
const asked = [];
const client = new Client(
  { name: "film", version: "1" },
  { capabilities: { elicitation: { form: {} }, extensions: { [TASKS]: {} } }, versionNegotiation: { mode: era } },
);
client.setRequestHandler("elicitation/create", async (request) => {
  asked.push(request.params.message);
  return { action: "accept", content: {} };
});

async function call(name, given = {}) {
  const result = await client.callTool({ name, arguments: given });
  if (result.isError) throw new Error(`${name}: ${result.content[0].text}`);
  return result.structuredContent;
}

async function settle() {
  while (!(await call("wait", { max_wait_s: 20 })).done);
}

async function makeAll(tool) {
  for (;;) {
    const told = await call(tool, { video: "Lamp", missing: true });
    await settle();
    if (told.jobs.length === 0 && !told.not_ready) return;
  }
}

const transport = new TaskTransport(new StdioClientTransport({ command, args, env: process.env }));
await client.connect(transport);
while (!(await call("status")).ready) await call("wait", { max_wait_s: 1 });
await call("create_project", { name: "Harbour", style: "ink and wash" });
await call("add_character", { project: "Harbour", characters: [{ name: "Mai", description: "a girl" }] });
await call("add_video", { project: "Harbour", title: "Lamp", orientation: "VERTICAL" });
await call("add_scene", {
  video: "Lamp",
  scenes: [
    { prompt: "Mai lights a lamp on a pier", characters: ["Mai"] },
    { prompt: "Mai looks out to the sea", characters: ["Mai"], continues: "previous" },
  ],
});
await makeAll("generate_image");
await makeAll("generate_video");
await call("merge", { video: "Lamp" });
await settle();
const { contents } = await client.readResource({ uri: "flowkit://video/Lamp" });
const [film] = JSON.parse(contents[0].text).films;
const told = {
  film: film.path,
  asked,
  tasks: transport.ended,
  version: client.getNegotiatedProtocolVersion(),
  declared: client.getServerCapabilities(),
};
await client.close();
console.log(JSON.stringify(told));
