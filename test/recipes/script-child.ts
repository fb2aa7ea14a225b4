// A process with a function that never ends and nothing else to do. Knows nothing of what a test expects.
import type { Job } from "../../src/engine/ports.js";
import { runScript } from "../../src/recipes/script.js";

// Holds nobody: it only goes off where something else keeps the process.
setTimeout(() => process.exit(42), 50).unref();

const job: Job = {
  step: { id: "out", inputs: [], outputs: ["out"] } as never,
  inputs: [],
  stage: { kind: "files", paths: ["out.tmp"], depfile: ".read.tmp" },
  previous: undefined,
  threads: 1,
  signal: new AbortController().signal,
  log: () => {},
  progress: () => {},
  need: () => new Promise(() => {}),
};

void runScript({ kind: "script", run: () => new Promise(() => {}) } as never, job);
