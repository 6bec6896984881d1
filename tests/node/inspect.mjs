// Many commands of the Inspector's connection CLI in one process: `node inspect.mjs MCPDO`. It holds one stdio
// connection per name, so that a server starts once and not once a command. Reads and prints a line of JSON each:
// the arguments; the exit code that the command would have ended with, and what it printed.

import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const mcpdo = process.argv[2];
const { runMcp } = await import(pathToFileURL(mcpdo));
const print = process.stdout.write.bind(process.stdout);

async function run(args) {
  let out = "";
  process.stdout.write = (text, ...rest) => {
    out += text;
    rest.findLast((one) => typeof one === "function")?.();
    return true;
  };
  try {
    await runMcp([process.execPath, mcpdo, "--format", "json", ...args]);
    return { code: 0, out };
  } catch (error) {
    return { code: error.exitCode ?? 1, out, error: String(error.message) };
  } finally {
    process.stdout.write = print;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  print(JSON.stringify(await run(JSON.parse(line))) + "\n");
}
