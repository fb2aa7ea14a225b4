// Judges what lies where outputs will go: dmake's own, or somebody else's and to be saved; and whether a rewritten file says the same. Knows nothing of how anything is moved.
import type { Warning } from "../core/event.js";
import { fail, ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import type { Spans } from "../core/spans.js";
import type { Digest, Fact, MadeDigest } from "../core/trace.js";
import type { History } from "../engine/ports.js";
import type { Contents, Seen } from "./file-contents.js";
import type { Gate } from "./file-gather.js";
import { kindOf } from "./file-publish.js";
import type { Records } from "./file-records.js";
import { guardedSync } from "./io-failure.js";
import type { State } from "./state.js";

export interface Bench {
  /** Where dmake keeps its own files, relative to the current directory. */
  readonly directory: string;
  readonly contents: Contents;
  readonly records: Records;
  /** Where outputs wait for others before they are brought to the disk. */
  readonly gate: Gate;
  /** Whether two parquet files have the same schema and values. */
  readonly sayTheSame: (one: string, other: string) => Promise<boolean>;
  readonly warn: (warning: Warning) => void;
  readonly history: History;
  readonly spans?: Spans | undefined;
}

/** An output about to be published. */
export interface Judged {
  readonly made: MadeDigest;
  /** What would be lost, by what it hashes to. */
  readonly foreign: Digest | undefined;
}

/** `paths` are where the outputs are staged, and `digests` what is there. */
export async function judgeOutputs(
  step: Step,
  { paths, digests }: { readonly paths: readonly string[]; readonly digests: readonly Digest[] },
  { contents, records, sayTheSame }: Bench,
): Promise<Result<readonly Judged[]>> {
  const seen = await contents.observe(step.outputs);
  if (!seen.ok) return seen;
  const judged: Judged[] = [];
  for (const [i, output] of step.outputs.entries()) {
    const [bytes, old] = [digests[i] ?? "", seen.value[i]];
    const known = records.read((state) => ({
      isOurs: old !== undefined && isOurs(state, { step: step.id, output, old }),
      meaning: old?.kind === "present" ? state.made.meaning(output, old.digest) : bytes,
    }));
    if (!known.ok) return known;
    const { isOurs: ours, meaning } = known.value;
    const isEqual = old?.kind === "present" && old.digest === bytes;
    const isSame =
      isEqual || (ours && isCompared(step, output) && (await sayTheSame(output, paths[i] ?? "")));
    judged.push({
      made: madeOf(output, isSame ? meaning : bytes, bytes),
      foreign: old?.kind === "present" && !ours && !isEqual ? old.digest : undefined,
    });
  }
  return ok(judged);
}

/** Only what is all of one file, and can be read by its columns. */
const isCompared = ({ rule, directories }: Step, output: string): boolean =>
  /\.parquet$/i.test(output) && rule.sameness !== "bytes" && !directories.has(output);

export const madeOf = (name: string, digest: Digest, bytes: Digest): MadeDigest => ({
  name,
  digest,
  ...(bytes !== digest && { bytes }),
});

/** Whether any record says of this name what is there. That of its own step is asked first: the others have to be read for it. */
export function isOurs(
  state: State,
  { step, output, old }: { readonly step: string; readonly output: string; readonly old: Seen },
): boolean {
  if (old.kind === "absent") return false;
  const isIt = (made: MadeDigest) => made.name === output && (made.bytes ?? made.digest) === old.digest;
  return state.traces.get(step)?.outputs.some(isIt) || state.made.of(output).some(isIt);
}

/** What a recipe that found nothing new leaves as it was. */
export function keptBy(
  step: Step,
  recorded: readonly MadeDigest[] | undefined,
): Result<readonly MadeDigest[]> {
  const kept: MadeDigest[] = [];
  for (const output of step.outputs) {
    const made = recorded?.find(({ name }) => name === output);
    if (!made) return fail({ reason: "output-missing", output });
    kept.push(made);
  }
  return ok(kept);
}

/** A folder that somebody has made is not replaced by a file, nor saved: there may be anything in it, and any amount. */
export async function checkFree(
  { id, outputs, directories }: Step,
  { contents, records }: Pick<Bench, "contents" | "records">,
): Promise<Result<void>> {
  for (const output of outputs) {
    const kind = guardedSync("look at", output, () => kindOf(output));
    if (!kind.ok) return kind;
    if (kind.value !== "directory" || directories.has(output)) continue;
    const seen = await contents.observe([output]);
    if (!seen.ok) return seen;
    const [old = nothing] = seen.value;
    const ours = records.read((state) => isOurs(state, { step: id, output, old }));
    if (!ours.ok) return ours;
    if (!ours.value) return fail({ reason: "io", doing: "write over", path: output, code: "EISDIR" });
  }
  return ok(undefined);
}

const nothing: Seen = { kind: "absent" };

/** What is seen of names, each by what it says. */
export const factsOf = (
  names: readonly string[],
  seen: readonly Seen[],
  records: Records,
): Result<readonly Fact[]> =>
  records.read(({ made }) =>
    seen.map((one, i) => {
      if (one.kind === "absent") return one;
      const digest = made.meaning(names[i] ?? "", one.digest);
      return digest === one.digest ? one : { ...one, digest };
    }),
  );
