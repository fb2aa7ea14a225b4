// Completes what a run that died was publishing, or undoes it where that cannot be. Knows nothing of runs, or of how locks are taken.
import { lstatSync } from "node:fs";
import { ok, type Result } from "../core/failure.js";
import type { MadeDigest, Trace } from "../core/trace.js";
import { isInProject } from "./file-inside.js";
import { saveForeign } from "./file-place.js";
import { type Group, giveNames, removeTemporaries, takeBack } from "./file-rename.js";
import { type Bench, isOurs } from "./file-replace.js";
import { isAttempt, temporaryPath } from "./file-temporary.js";
import { guardedSync } from "./io-failure.js";

/**
 * To be called with the lock of the step, by whoever means to write there. What was intended had been staged whole and
 * brought to the disk before, so each output has its name by now or is still staged; the record is the one that the
 * intent carries, as true as if it had been written then. May be killed at any point and called again.
 */
export async function resume(step: string, bench: Bench): Promise<Result<void>> {
  const { records, warn, directory } = bench;
  const intent = records.read((state) => state.intents.get(step));
  if (!intent.ok || !intent.value) return intent.ok ? ok(undefined) : intent;
  const trace = intent.value;
  const group = { outputs: trace.outputs.map(({ name }) => name), attempt: trace.attempt };
  const isSound = isAttempt(group.attempt) && group.outputs.every((name) => isInProject(name, directory));
  if (!isSound) return records.write((state) => state.dropIntent(step, group.attempt));
  const standing = await standingOf(trace, bench);
  if (!standing.ok) return standing;
  const done = await (standing.value === "whole" ? complete : undo)(step, trace, bench);
  if (!done.ok) return done;
  // What stays is swept when the outputs are made again.
  await removeTemporaries(group);
  warn({
    warning: "publish-resumed",
    step,
    how: standing.value === "whole" ? "completed" : "undone",
  });
  return ok(undefined);
}

/** `whole`: each output is staged still, or has its name already. */
async function standingOf({ outputs, attempt }: Trace, bench: Bench): Promise<Result<"whole" | "broken">> {
  for (const made of outputs) {
    const staged = isStaged(made.name, attempt);
    if (!staged.ok) return staged;
    if (staged.value) continue;
    const seen = await bench.contents.observe([made.name]);
    if (!seen.ok) return seen;
    const [there] = seen.value;
    if (there?.kind !== "present" || there.digest !== bytesOf(made)) return ok("broken");
  }
  return ok("whole");
}

const isStaged = (output: string, attempt: string): Result<boolean> =>
  guardedSync(
    "look at",
    output,
    () => lstatSync(temporaryPath(output, attempt, "tmp"), { throwIfNoEntry: false }) !== undefined,
  );

const bytesOf = ({ bytes, digest }: MadeDigest) => bytes ?? digest;

async function complete(step: string, trace: Trace, bench: Bench): Promise<Result<void>> {
  const { records, history, warn } = bench;
  const group: Group = { outputs: trace.outputs.map(({ name }) => name), attempt: trace.attempt };
  const foreign = await foreignAt(step, trace, bench);
  if (!foreign.ok) return foreign;
  const saved: { readonly output: string; readonly path: string }[] = [];
  const kept = await saveForeign(foreign.value, saved, bench);
  for (const { output, path } of saved) warn({ warning: "output-saved", output, path });
  const given = kept.ok ? await giveNames(group, { fresh: new Set(), again: true }) : kept;
  if (!given.ok) return given;
  const noted = records.write((state) => state.setTrace(step, trace));
  if (!noted.ok) return noted;
  const { attempt, startedAt, durationMs, facts, because = [] } = trace;
  history.note({ step, attempt, tries: 1, startedAt, durationMs, outcome: "made", facts, because });
  return ok(undefined);
}

/** What somebody has put since where an output is still to go. */
async function foreignAt(step: string, { outputs, attempt }: Trace, { contents, records }: Bench) {
  const judged: { readonly made: MadeDigest; readonly foreign: string | undefined }[] = [];
  for (const made of outputs) {
    const staged = isStaged(made.name, attempt);
    if (!staged.ok) return staged;
    if (!staged.value) continue;
    const seen = await contents.observe([made.name]);
    if (!seen.ok) return seen;
    const [old] = seen.value;
    if (old?.kind !== "present" || old.digest === bytesOf(made)) continue;
    const ours = records.read((state) => isOurs(state, { step, output: made.name, old }));
    if (!ours.ok) return ours;
    judged.push({ made, foreign: ours.value ? undefined : old.digest });
  }
  return ok(judged);
}

/** Something staged is gone. What made way returns; what has its name and took nobody's stays, and is stale for lack of a record. */
async function undo(step: string, trace: Trace, { records }: Bench): Promise<Result<void>> {
  const group = { outputs: trace.outputs.map(({ name }) => name), attempt: trace.attempt };
  const back = await takeBack(group, new Set());
  return back.ok ? records.write((state) => state.dropIntent(step, trace.attempt)) : back;
}
