// The profile of one run: refuses paths that it must not write, has everything recorded, publishes the trace whole. Knows nothing of what is recorded.
import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  openSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { redactAll } from "../core/redact.js";
import { foldersAbove } from "../core/target.js";
import type { Datafile } from "../datafile/load.js";
import type { Asked } from "./options.js";
import { Recording } from "./profile-recording.js";
import { traceLines, traceOpening } from "./profile-trace.js";
import { watched } from "./profile-wired.js";
import type { Ending, Surroundings } from "./project.js";
import type { Renderer } from "./render.js";
import type { Wired } from "./world.js";

/** What a command is given that is watched. */
export interface Profile {
  readonly recording: Recording;
  /** The same renderer, whose events are recorded as well. */
  readonly listening: (renderer: Renderer) => Renderer;
  /** The same world, and how long what it is asked takes is recorded. */
  readonly watching: (wired: Wired) => Wired;
  /** What the Datafile keeps secret, filled while it is evaluated: shown nowhere in the trace. */
  readonly secrets: Set<string>;
  /** Refuses a Datafile whose rules make what the trace would replace. */
  readonly vet: (datafile: Datafile) => Result<void>;
}

interface Watching {
  readonly around: Surroundings;
  readonly renderer: Renderer;
}

/** Does the work, and leaves its profile at a path that is known to be writable before anything begins. */
export async function inProfile(
  { profile: path = "", directory = "." }: Asked,
  { around, renderer }: Watching,
  work: (profile: Profile) => Promise<Ending>,
): Promise<Ending> {
  const place = placeOf(resolve(directory, path), path);
  if (!place.ok) {
    renderer.failure(place.error);
    return "refused";
  }
  const recording = new Recording(() => performance.now());
  recordStart(recording);
  const secrets = new Set<string>();
  // Until the Datafile has said what its targets are, nobody knows whether this is one.
  let mayWrite = false;
  const vet = (datafile: Datafile) => {
    const free = vetted(place.value, datafile);
    mayWrite = free.ok;
    return free;
  };
  const publish = (): Result<void> => {
    if (!mayWrite) return ok(undefined);
    mayWrite = false;
    return published(place.value, recording, secrets);
  };
  // However the process ends, but by a kill.
  around.onExit(() => void publish());
  const ending = await work({
    ...{ recording, secrets, vet },
    listening: (shown) => listening(shown, recording),
    watching: (wired) => watched(wired, recording),
  });
  const written = publish();
  if (written.ok) return ending;
  renderer.failure(written.error);
  return ending === "good" ? "failed" : ending;
}

const listening = (renderer: Renderer, recording: Recording): Renderer => ({
  ...renderer,
  event: (event) => {
    recording.event(event);
    renderer.event(event);
  },
});

/** What Node and the first modules took is over before anybody can be asked to record it. */
function recordStart(recording: Recording): void {
  const { bootstrapComplete } = performance.nodeTiming;
  recording.past("start Node", { from: 0, until: bootstrapComplete });
  recording.past("load dmake", { from: bootstrapComplete, until: performance.now() });
}

/** Where a trace goes: the file as it was named, in its folder by that folder's real path. */
interface Place {
  readonly named: string;
  readonly folder: string;
  readonly name: string;
}

const pathOf = ({ folder, name }: Place): string => join(folder, name);

const refusal = (
  named: string,
  why: string,
  help = "name another file: dmake --profile out.json",
): Failure => ({
  reason: "usage",
  message: `cannot write the profile to \`${named}\`: ${why}`,
  help,
});

/** The place that a path stands for, once a file was made and removed beside it. */
function placeOf(path: string, named: string): Result<Place> {
  if (named === "") return fail(refusal(named, "it is no path"));
  const tried = attempted(() => {
    const place = { named, folder: realpathSync(dirname(path)), name: basename(path) };
    const problem = occupant(pathOf(place));
    if (problem !== undefined) return fail(refusal(named, problem));
    const aside = asideOf(place);
    closeSync(openSync(aside, "wx"));
    rmSync(aside);
    return ok(place);
  });
  if (tried.ok) return tried.value;
  const { code } = tried;
  return fail(refusal(named, code === "ENOENT" ? `its folder is not there (${code})` : code));
}

/** In its folder, so that it can be renamed. */
const asideOf = (place: Place): string =>
  join(place.folder, `.${place.name.slice(0, 100)}.${randomBytes(4).toString("hex")}.tmp`);

/** Why what is at a path must stay, or nothing: only an empty file and an earlier profile may be replaced. */
function occupant(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (!stats) return undefined;
  if (stats.isDirectory()) return "it is a folder";
  if (!stats.isFile()) return "it is no plain file";
  if (stats.size === 0) return undefined;
  const descriptor = openSync(path, "r");
  try {
    const first = Buffer.alloc(traceOpening.length);
    const length = readSync(descriptor, first, 0, first.length, 0);
    const isProfile = first.toString("utf8", 0, length) === traceOpening;
    return isProfile ? undefined : "what is there is no profile of dmake, and stays";
  } finally {
    closeSync(descriptor);
  }
}

/** A target, or a part of one, or dmake's own. */
function vetted({ named, folder, name }: Place, { rules, goals }: Datafile): Result<void> {
  if (goals.has(named)) return fail(refusal(named, "that is a goal of this Datafile"));
  const inside = relative(realpathSync("."), join(folder, name));
  if (inside.startsWith("../")) return ok(undefined);
  const own = rules.forbidden(inside);
  if (own !== undefined) return fail(refusal(named, `a name ${own}`));
  for (const one of [inside, ...foldersAbove(inside)]) {
    const maker = rules.find(one);
    if (maker.ok && maker.value) return fail(refusal(named, `\`${one}\` is a target of this Datafile`));
  }
  return ok(undefined);
}

/** Whole or not at all. What a recipe may have put there meanwhile stays. */
function published(place: Place, recording: Recording, secrets: ReadonlySet<string>): Result<void> {
  const aside = asideOf(place);
  const tried = attempted(() => {
    const problem = occupant(pathOf(place));
    if (problem !== undefined) return fail(refusal(place.named, problem));
    writeLines(aside, linesOf(recording, secrets));
    renameSync(aside, pathOf(place));
    return ok(undefined);
  });
  if (tried.ok) return tried.value;
  attempted(() => rmSync(aside, { force: true }));
  return fail({ reason: "io", doing: "write the profile", path: place.named, code: tried.code });
}

/** What stands for a lane is ours and stays, whatever a secret is called. */
function linesOf(recording: Recording, secrets: ReadonlySet<string>): Iterable<string> {
  const { worked, waited } = recording.recorded();
  const { pid } = process;
  if (secrets.size === 0) return traceLines({ pid, worked, waited });
  const shown = worked.map(({ name, args, ...work }) => ({ ...work, ...redactAll({ name, args }, secrets) }));
  return traceLines({ pid, worked: shown, waited: redactAll(waited, secrets) });
}

/** A string of all lines could be longer than strings may be. */
const blockChars = 1 << 20;

function writeLines(path: string, lines: Iterable<string>): void {
  const descriptor = openSync(path, "wx");
  try {
    let block = "";
    const flush = () => {
      for (let rest = Buffer.from(block); rest.length > 0; )
        rest = rest.subarray(writeSync(descriptor, rest));
      block = "";
    };
    for (const line of lines) {
      block += `${line}\n`;
      if (block.length > blockChars) flush();
    }
    flush();
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** What the file system refuses, as its code. */
function attempted<T>(
  work: () => T,
): { readonly ok: true; readonly value: T } | { readonly ok: false; readonly code: string } {
  try {
    return { ok: true, value: work() };
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException;
    if (typeof syscall !== "string" || code === undefined) throw error;
    return { ok: false, code };
  }
}
