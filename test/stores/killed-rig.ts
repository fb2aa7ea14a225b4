// A process of its own that makes or recovers a step and is killed right before its n-th change of the disk, by SIGKILL. Knows nothing of what tests expect.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs, { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { argv, execPath, kill, pid, stdout } from "node:process";
import { fileURLToPath } from "node:url";
import type { Step } from "../../src/core/rule.js";
import { must } from "../rig/world.js";
import { open, published } from "./files-rig.js";
import { groups } from "./killed-groups.js";

/** `publish`: changes are counted once the recipe has ended. `die`: that is when it is killed. */
export type Deed =
  | { readonly does: "make" | "publish" | "die"; readonly text: string }
  | { readonly does: "recover" };

/** Everything that changes the disk, or asks it to keep something. */
const changes = [
  "copyFileSync",
  "fsync",
  "fsyncSync",
  "linkSync",
  "mkdirSync",
  "openSync",
  "renameSync",
  "rmSync",
  "rmdirSync",
  "symlinkSync",
  "unlinkSync",
  "writeFileSync",
  "writeSync",
] as const;

function die(): void {
  kill(pid, "SIGKILL");
  // The signal may reach another thread first.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function dieAt(n: number): void {
  let count = 0;
  const wrap = <T extends object>(module: T, name: keyof T) => {
    const real = module[name] as (...args: unknown[]) => unknown;
    const dying = (...args: unknown[]) => {
      if (name !== "openSync" || /[aw]/.test(String(args[1]))) count += 1;
      if (count === n) die();
      return real(...args);
    };
    Object.assign(module, { [name]: dying });
  };
  for (const name of changes) wrap(fs, name);
  wrap(fs.promises, "rm");
  wrap(fs.promises, "cp");
  syncBuiltinESMExports();
}

/** Writes what a recipe makes of a step. */
export function fill({ outputs, directories }: Step, paths: readonly string[], text: string): void {
  for (const [i, path] of paths.entries())
    writeFileSync(directories.has(outputs[i]!) ? `${path}/part` : path, text);
}

async function act(name: string, n: number, deed: Deed): Promise<void> {
  const step = groups[name]!;
  const store = open();
  if (deed.does === "make" || deed.does === "recover") dieAt(n);
  if (deed.does === "recover") must(await store.recover(new AbortController().signal));
  else
    must(
      await published(store, step, (paths) => {
        fill(step, paths, deed.text);
        if (deed.does === "publish") dieAt(n);
        if (deed.does === "die") die();
      }),
    );
  await store.close();
  stdout.write("whole");
}

/** The program of that process: compiled once, for a start of 60 ms and not of half a second. */
export async function compiled(): Promise<{ readonly program: string; readonly remove: () => void }> {
  const { build } = await import("esbuild");
  const folder = mkdtempSync(join(tmpdir(), "dmake-killed-"));
  const program = join(folder, "killed.mjs");
  await build({
    entryPoints: [fileURLToPath(import.meta.url)],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["esbuild", "node:*"],
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
    logLevel: "error",
  });
  return { program, remove: () => rmSync(folder, { recursive: true }) };
}

/** Runs it in the current folder. Answers whether it lived to the end; anything but that or its death is an error. */
export async function killedAt(program: string, n: number, group: string, deed: Deed): Promise<boolean> {
  const child = spawn(execPath, [program, group, String(n), JSON.stringify(deed)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let said = "";
  child.stdout.on("data", (data) => {
    said += data;
  });
  const [code, signal] = await once(child, "close");
  assert(signal === "SIGKILL" || (code === 0 && said === "whole"), `${code} ${signal} ${said} at ${n}`);
  return signal === null;
}

if (argv[1]?.endsWith("killed.mjs")) await act(argv[2]!, Number(argv[3]), JSON.parse(argv[4]!));
