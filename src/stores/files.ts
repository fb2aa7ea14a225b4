// Targets that are files of this disk: looked at, written aside, renamed into place, recorded in `.dmake/`. Knows nothing of rules or recipes.
import { createHash } from "node:crypto";
import {
  closeSync,
  createReadStream,
  fsyncSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import pLimit from "p-limit";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import type { Digest, Fact, Trace } from "../core/trace.js";
import type { Attempt, Outcome, Stage, Store } from "../engine/ports.js";
import { type Stamp, State } from "./state.js";

/** Streams of 1 MB reach 1.5 GB/s of SHA-256, of 64 KB 1.15; two at once fill two cores. */
const chunkBytes = 1 << 20;
const hashesAtOnce = 2;
/** A file changed this shortly before it was read may change again without its time moving (git's rule for its index). */
const racyNs = 2_000_000_000n;

type Look = Omit<Stamp, "digest">;

/**
 * The store of files, relative to the current directory. With `writable: false` nothing at all is written, for queries.
 * Digests are remembered with the file's stamp, so that an untouched file is not read again.
 */
export function createFiles(options: { readonly directory: string; readonly writable: boolean }): Store {
  const path = join(options.directory, "state.ndjson");
  const limit = pLimit(hashesAtOnce);
  const before = new Map<string, readonly (Look | undefined)[]>();
  let opened: State | undefined;
  /** Works on the state, which is read when first needed: a disk that refuses is then a failure like any other. */
  const recorded = <T>(doing: "read" | "write", work: (state: State) => T): Result<T> =>
    guardedSync(doing, path, () => {
      opened ??= new State(path);
      return work(opened);
    });
  let clock: bigint | undefined;
  const settled = (look: Look): boolean => {
    clock ??= diskClock(options.directory);
    return BigInt(look.mtimeNs) < clock - racyNs && BigInt(look.ctimeNs) < clock - racyNs;
  };

  const digest = async (name: string, look: Look): Promise<Result<Fact>> => {
    const found = await guarded("read", name, () => limit(() => hash(name)));
    if (!found.ok) return found;
    const noted = recorded("write", (state) => {
      if (options.writable && settled(look) && same(look, lookAt(name)))
        state.setStamp(name, { ...look, digest: found.value });
    });
    return noted.ok ? ok({ kind: "present", digest: found.value }) : noted;
  };

  const observeOne = (name: string, stamp: Stamp | undefined): Result<Fact> | Promise<Result<Fact>> => {
    const look = guardedSync("look at", name, () => lookAt(name));
    if (!look.ok) return look;
    if (!look.value) return ok({ kind: "absent" });
    return stamp && same(stamp, look.value)
      ? ok({ kind: "present", digest: stamp.digest })
      : digest(name, look.value);
  };

  return {
    async observe(names) {
      const stamps = recorded("read", (state) => names.map((name) => state.stamps.get(name)));
      if (!stamps.ok) return stamps;
      return collected(await Promise.all(names.map((name, i) => observeOne(name, stamps.value[i]))));
    },
    async traces(steps: readonly Step[]) {
      return recorded("read", (state) => steps.map((step) => state.traces.get(step.id)));
    },
    async stage(attempt) {
      const { outputs } = attempt.step;
      const made = guardedSync("make the folder of", outputs[0] ?? "", () => {
        for (const output of outputs) mkdirSync(dirname(output), { recursive: true });
        return outputs.map(lookAt);
      });
      if (!made.ok) return made;
      before.set(attempt.id, made.value);
      return ok({ kind: "files", paths: outputs.map((output) => temporaryPath(output, attempt.id)) });
    },
    async publish(attempt, stage, outcome, durationMs) {
      const { step } = attempt;
      const untouched = before.get(attempt.id) ?? [];
      const previous = recorded("read", (state) => state.traces.get(step.id));
      if (!previous.ok) return previous;
      const digests =
        outcome.kind === "unchanged"
          ? ok(recordedDigests(step, previous.value))
          : await publishFiles(step, stage, { outcome, untouched, limit });
      if (!digests.ok) return digests;
      before.delete(attempt.id);
      const trace = traceOf(attempt, digests.value, outcome, { durationMs, previous: previous.value });
      return recorded("write", (state) => {
        state.setTrace(step.id, trace);
        return trace;
      });
    },
    async discard(attempt, stage) {
      before.delete(attempt.id);
      if (stage.kind === "files")
        for (const path of stage.paths) rmSync(path, { recursive: true, force: true });
    },
    async close() {
      if (options.writable) opened?.compact();
    },
  };
}

/**
 * The disk's own clock, which alone can be compared with a file's time: the time of a file that was just written.
 * Taken once a process: an older answer only makes more files racy.
 */
function diskClock(directory: string): bigint {
  const path = join(directory, "clock");
  mkdirSync(directory, { recursive: true });
  writeFileSync(path, "");
  utimesSync(path, 0, 0);
  return statSync(path, { bigint: true }).ctimeNs;
}

function lookAt(name: string): Look | undefined {
  const stats = statSync(name, { bigint: true, throwIfNoEntry: false });
  if (!stats) return undefined;
  if (stats.isDirectory()) throw Object.assign(new Error(`${name} is a directory`), { code: "EISDIR" });
  return {
    size: String(stats.size),
    mtimeNs: String(stats.mtimeNs),
    ctimeNs: String(stats.ctimeNs),
    inode: String(stats.ino),
    device: String(stats.dev),
  };
}

const same = (one: Look, other: Look | undefined): boolean =>
  other !== undefined &&
  one.size === other.size &&
  one.mtimeNs === other.mtimeNs &&
  one.ctimeNs === other.ctimeNs &&
  one.inode === other.inode &&
  one.device === other.device;

async function hash(name: string): Promise<Digest> {
  const sum = createHash("sha256");
  for await (const chunk of createReadStream(name, { highWaterMark: chunkBytes }))
    sum.update(chunk as Buffer);
  return `sha256:${sum.digest("hex")}`;
}

/** In the folder of the final file, so that the rename stays on one file system; the attempt's id keeps late writers of dead runs apart. */
function temporaryPath(output: string, attempt: string): string {
  const name = basename(output);
  // A name has 255 bytes at most, which 40 characters of any script leave room in. The hash tells cut names apart.
  const cut = () =>
    `${[...name].slice(0, 40).join("")}-${createHash("sha256").update(name).digest("hex").slice(0, 16)}`;
  return join(dirname(output), `.${Buffer.byteLength(name) <= 200 ? name : cut()}.dmake-${attempt}.tmp`);
}

interface Publishing {
  readonly outcome: Extract<Outcome, { kind: "made" }>;
  /** What each final path looked like before the recipe started. */
  readonly untouched: readonly (Look | undefined)[];
  readonly limit: <T>(work: () => Promise<T>) => Promise<T>;
}

async function publishFiles(
  step: Step,
  stage: Stage,
  { outcome, untouched, limit }: Publishing,
): Promise<Result<Digest[]>> {
  if (stage.kind !== "files") throw new Error(`bug: ${step.id} is a file staged as a table`);
  const digests: Digest[] = [];
  for (const [i, path] of stage.paths.entries()) {
    const output = step.outputs[i] ?? "";
    const checked = guardedSync("look at", output, () => checkWritten(output, path, untouched[i]));
    if (!checked.ok) return checked;
    if (checked.value) return fail(checked.value);
    const known = outcome.digests?.[i];
    const digest = await guarded("read", output, async () => known ?? (await limit(() => hash(path))));
    if (!digest.ok) return digest;
    digests.push(digest.value);
  }
  return guardedSync("publish", step.id, () => {
    for (const path of stage.paths) sync(path);
    for (const [i, path] of stage.paths.entries()) renameSync(path, step.outputs[i] ?? "");
    for (const folder of new Set(step.outputs.map((output) => dirname(output)))) sync(folder);
    return digests;
  });
}

function checkWritten(output: string, path: string, untouched: Look | undefined): Failure | undefined {
  const now = lookAt(output);
  if (!(untouched ? same(untouched, now) : now === undefined)) return { reason: "wrote-final-path", output };
  return lookAt(path) ? undefined : { reason: "output-missing", output };
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

const recordedDigests = (step: Step, previous: Trace | undefined): Digest[] => {
  const recorded = new Map(previous?.outputs.map(({ name, digest }) => [name, digest]));
  return step.outputs.map((output) => recorded.get(output) ?? "");
};

function traceOf(
  attempt: Attempt,
  digests: readonly Digest[],
  outcome: Outcome,
  { durationMs, previous }: { readonly durationMs: number; readonly previous: Trace | undefined },
): Trace {
  return {
    recipe: attempt.recipe,
    inputs: attempt.inputs,
    outputs: attempt.step.outputs.map((name, i) => ({ name, digest: digests[i] ?? "" })),
    attempt: attempt.id,
    startedAt: attempt.startedAt,
    checkedAt: attempt.startedAt,
    durationMs,
    facts: outcome.kind === "unchanged" ? { ...previous?.facts, ...outcome.facts } : outcome.facts,
  };
}

/** Errors of the file system that a person can mend are failures; anything else is a bug and thrown on. */
function ioFailure(doing: string, path: string, error: unknown): Failure {
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) throw error;
  return { reason: "io", doing, path, code };
}

function guardedSync<T>(doing: string, path: string, work: () => T): Result<T> {
  try {
    return ok(work());
  } catch (error) {
    return fail(ioFailure(doing, path, error));
  }
}

async function guarded<T>(doing: string, path: string, work: () => Promise<T>): Promise<Result<T>> {
  try {
    return ok(await work());
  } catch (error) {
    return fail(ioFailure(doing, path, error));
  }
}

function collected<T>(results: readonly Result<T>[]): Result<readonly T[]> {
  const values: T[] = [];
  for (const result of results) {
    if (!result.ok) return result;
    values.push(result.value);
  }
  return ok(values);
}
