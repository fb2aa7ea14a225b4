// A process that carries out shell commands as dmake does, each in a place of its own: `slots-child.ts COUNT COMMAND`. Knows nothing of what a test expects.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { jobsIn } from "../../src/system/jobserver.js";
import { createSlots } from "../../src/system/slots.js";

const [count = "1", command = "true"] = process.argv.slice(2);
const { env } = process;
const jobs = jobsIn(env) ?? 4;
const warn = ({ warning, auth }: { warning: string; auth: string }) => console.log(`${warning} ${auth}`);
const slots = createSlots({ jobs, env, jobserver: "client", warn });

let left = Number(count);
const running = new Set<Promise<void>>();

async function carryOut(): Promise<void> {
  const child = spawn("/bin/sh", ["-c", command], {
    env: { ...env, ...slots.child().env },
    stdio: "inherit",
  });
  await once(child, "exit");
}

while (left > 0 || running.size > 0) {
  const slot = left > 0 && running.size < jobs ? slots.take(1) : undefined;
  const free = new Promise<void>((resolve) => slots.onFree(resolve));
  if (!slot) {
    await Promise.race([free, ...running]);
    continue;
  }
  left--;
  const job = carryOut().then(() => {
    slots.give(slot);
    running.delete(job);
  });
  running.add(job);
}
slots.close();
