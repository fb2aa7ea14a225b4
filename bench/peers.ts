// Who dmake is measured against, which of them are installed, and in which version; and the machine. Knows nothing of what they are asked to do.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Peers {
  /** Name → version, of those that are there. */
  readonly versions: Readonly<Record<string, string>>;
  readonly missing: readonly string[];
  /** The Python that has pandas. */
  readonly python: string | undefined;
}

/** What says the version, and where in that it stands. */
const asked: Readonly<Record<string, readonly string[]>> = {
  make: ["make", "--version"],
  ninja: ["ninja", "--version"],
  snakemake: ["snakemake", "--version"],
  psql: ["psql", "--version"],
  curl: ["curl", "--version"],
  sha256sum: ["sha256sum", "--version"],
  openssl: ["openssl", "version"],
};

/** Debian's first: the one on the path may be another without its packages. */
const pythons = ["/usr/bin/python3", "python3"];
const pandas = "import pandas, sqlalchemy, psycopg2; print(pandas.__version__)";

export async function findPeers(): Promise<Peers> {
  const versions: Record<string, string> = { duckdb: versionOfPackage("@duckdb/node-api") };
  const missing: string[] = [];
  for (const [name, [program = "", ...args]] of Object.entries(asked)) {
    const said = await answer(program, args);
    if (said === undefined) missing.push(name);
    else versions[name] = /\d+\.\d[\w.]*/.exec(said)?.[0] ?? said;
  }
  let python: string | undefined;
  for (const candidate of pythons) {
    const said = python === undefined ? await answer(candidate, ["-c", pandas]) : undefined;
    if (said === undefined) continue;
    python = candidate;
    versions.pandas = said;
  }
  if (python === undefined) missing.push("pandas");
  return { versions, missing, python };
}

/** The first line, or nothing if there is no such program or it fails. */
async function answer(program: string, args: readonly string[]): Promise<string | undefined> {
  try {
    return (await run(program, [...args])).stdout.split("\n")[0]!.trim();
  } catch (error) {
    const { code } = error as { code?: unknown };
    if (code === "ENOENT" || typeof code === "number") return undefined;
    throw error;
  }
}

const textOf = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8");

function versionOfPackage(name: string): string {
  return (JSON.parse(textOf(`../node_modules/${name}/package.json`)) as { version: string }).version;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGB: number;
  /** Of the last minute, before anything was measured: with other work on the machine seconds are worth less. */
  readonly load: number;
  readonly node: string;
  readonly dmake: string;
  readonly peers: Readonly<Record<string, string>>;
  readonly date: string;
}

export const machineOf = ({ versions }: Peers): Machine => ({
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: availableParallelism(),
  memoryGB: Math.round(totalmem() / 1e9),
  load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
  node: process.versions.node,
  dmake: (JSON.parse(textOf("../package.json")) as { version: string }).version,
  peers: versions,
  date: new Date().toISOString(),
});
