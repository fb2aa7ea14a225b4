// A process that runs one shell recipe as it is told, and says how it ended. Knows nothing of what a test expects.
import { closeSync, openSync } from "node:fs";
import { elsewhere, run } from "./shells.js";

const [how, command = ""] = process.argv.slice(2);
const inConsole = how === "stdout" || how === "stderr" ? ({ terminal: how } as const) : {};

if (how === "elsewhere") elsewhere();

/** Opens files until there is no descriptor left. */
function exhausted(): readonly number[] {
  const all: number[] = [];
  try {
    for (;;) all.push(openSync("/dev/null", "r"));
  } catch {
    return all;
  }
}

// What is loaded when first needed is loaded now, while it can be.
if (how === "no-files") await (await run(({ $ }) => $`true`)).ended;
const files = how === "no-files" ? exhausted() : [];
const { ended, logged } = await run(({ $ }) => $`sh -c ${command}`, [], undefined, inConsole);
const result = await ended;
for (const file of files) closeSync(file);
const again = files.length > 0 ? (await (await run(({ $ }) => $`true`)).ended).ok : undefined;
process.stderr.write(`${JSON.stringify({ result, logged: logged(), again })}\n`);
