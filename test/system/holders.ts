// Processes that hold locks and stage attempts until they are told otherwise or killed. Knows nothing of what a test expects.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

const source = fileURLToPath(new URL("./holder-child.ts", import.meta.url));

/** As root, or as one who is root in a user namespace of his own; nothing where the system forbids it. */
const unshare = [[], ["-r"]]
  .map((as) => ["unshare", ...as, "--pid", "--fork", "--mount-proc", "--kill-child"])
  .find(([program = "", ...rest]) => spawnSync(program, [...rest, "true"]).status === 0);

export const needsNamespaces = unshare ? false : "this system makes no pid namespaces for us";

export interface Asked {
  readonly directory: string;
  readonly run: string;
  /** `hold` takes this lock and says so. */
  readonly lock?: string;
  /** In a pid namespace of its own, as in a container. */
  readonly apart?: boolean;
  readonly leaseMs?: number;
}

export interface Holder {
  readonly child: ChildProcess;
  readonly kill: () => Promise<void>;
}

const children: ChildProcess[] = [];

let bundled: string | undefined;

/** Bundled once: twenty processes that each translate TypeScript take half a minute. */
function program(): string {
  bundled ??= buildSync({
    entryPoints: [source],
    write: false,
    bundle: true,
    platform: "node",
    format: "esm",
  }).outputFiles[0]?.text;
  return bundled ?? "";
}

/** Starts a process that does `what` and waits until it says that it has. */
export async function start(what: "hold" | "stage" | "recover" | "race", asked: Asked): Promise<Holder> {
  const [command = "", ...args] = [
    ...(asked.apart ? (unshare ?? []) : []),
    process.execPath,
    "--input-type=module",
    "-e",
    program(),
    "--",
    what,
    JSON.stringify(asked),
  ];
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const [said] = (await Promise.race([
    once(child.stdout, "data"),
    once(child, "close").then(() => ["died"]),
  ])) as [unknown];
  if (String(said).trim() !== "ready") throw new Error(`the child said: ${said}`);
  const kill = async () => {
    // Its output ends with the last process that has it, which in a namespace is not the one that we see.
    const closed = once(child, "close");
    child.stdout.resume();
    child.kill("SIGKILL");
    await closed;
  };
  return { child, kill };
}

/** To be called after each test. */
export function killAll(): void {
  for (const child of children.splice(0)) child.kill("SIGKILL");
}
