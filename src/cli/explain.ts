// Why a target stands as it does: what is recorded against what is there now, and why that changed. Plain JSON; knows nothing of how it is shown.
import type { Graph } from "../core/graph.js";
import type { Step } from "../core/rule.js";
import type { Because, NamedDigest, Trace } from "../core/trace.js";
import type { Reason } from "../core/verdict.js";
import type { Previewed } from "../engine/preview.js";

/** Why something is not as it was. Times are ISO 8601, UTC. */
export type Cause =
  /** The step that makes it would run, or may. */
  | { readonly kind: "stale" | "may-run"; readonly step: string; readonly reasons: readonly Reason[] }
  /** The step that makes it has run. */
  | { readonly kind: "remade"; readonly at: string; readonly because: readonly Because[] }
  /** A file that somebody else wrote. */
  | { readonly kind: "modified"; readonly at: string };

/** What a step looks at a name for: its recipe is given it, or uses it, or found out that it needs it, or makes it. */
export type Role = "input" | "uses" | "needed" | "output";

export interface Explained {
  readonly reason: Reason;
  /** Of reasons that are about a name. */
  readonly role?: Role;
  readonly cause?: Cause;
}

/** An input whose content is not known yet. */
export interface OpenInput {
  readonly input: string;
  readonly cause: Cause;
}

interface About {
  readonly target: string;
  /** The name of the step that makes it: that of its first output. */
  readonly step: string;
  /** Its last success. */
  readonly made?: Pick<
    Trace,
    "attempt" | "startedAt" | "durationMs" | "facts" | "checkedAt" | "because" | "provisional"
  >;
}

export type Explanation =
  | { readonly why: "source"; readonly target: string; readonly modifiedAt?: string }
  | (About & {
      readonly why: "stale";
      readonly reasons: readonly Explained[];
      readonly open: readonly OpenInput[];
      /** Its outputs that are there. */
      readonly there: readonly string[];
    })
  | (About & { readonly why: "may-run"; readonly open: readonly OpenInput[] } & Compared)
  | (About & { readonly why: "fresh" } & Compared);

/** What was found as recorded. */
export interface Compared {
  /** Names of the parts of its recipe. */
  readonly parts: readonly string[];
  readonly names: readonly (NamedDigest & { readonly role: Role })[];
}

export interface Evidence {
  readonly graph: Graph;
  readonly previewed: ReadonlyMap<Step, Previewed>;
  /** When a file was last written, in milliseconds since the epoch; nothing where there is none. */
  readonly modified: (name: string) => number | undefined;
}

export function explain(target: string, evidence: Evidence): Explanation {
  const step = evidence.graph.makers.get(target);
  const previewed = step && evidence.previewed.get(step);
  if (!previewed) {
    const modified = evidence.modified(target);
    return { why: "source", target, ...(modified !== undefined && { modifiedAt: isoOf(modified) }) };
  }
  const { judged, standing } = previewed;
  const about = { target, step: previewed.step.id, ...madeOf(judged.trace) };
  switch (standing.kind) {
    case "fresh":
      return { ...about, why: "fresh", ...comparedIn(previewed) };
    case "may-run":
      return { ...about, why: "may-run", open: openOf(previewed, evidence), ...comparedIn(previewed) };
    case "would-run": {
      const reasons = standing.reasons.map((reason) => explained(reason, previewed, evidence));
      const there = previewed.step.outputs.filter((_, i) => judged.outputs[i]?.kind === "present");
      return { ...about, why: "stale", reasons, open: openOf(previewed, evidence), there };
    }
  }
}

const isoOf = (ms: number): string => new Date(ms).toISOString();

function madeOf(trace: Trace | undefined): Pick<About, "made"> {
  if (!trace) return {};
  const { attempt, startedAt, durationMs, facts, checkedAt, because, provisional } = trace;
  const more = { ...(because && { because }), ...(provisional && { provisional }) };
  return { made: { attempt, startedAt, durationMs, facts, checkedAt, ...more } };
}

function comparedIn({ step, judged }: Previewed): Compared {
  const { parts, inputs, discovered, outputs } = judged;
  const named = (list: readonly NamedDigest[], role: (i: number) => Role) =>
    list.map((one, i) => ({ ...one, role: role(i) }));
  return {
    parts: Object.keys(parts).sort(),
    names: [
      ...named(inputs, (i) => (i < step.inputs.length ? "input" : "uses")),
      ...named(discovered, () => "needed"),
      ...step.outputs.flatMap((name, i) => {
        const fact = outputs[i];
        return fact?.kind === "present" ? [{ name, digest: fact.digest, role: "output" as const }] : [];
      }),
    ],
  };
}

/** The names that a step looks at and whose makers are not up to date. */
function openOf({ step, judged }: Previewed, { graph, previewed }: Evidence): OpenInput[] {
  const names = [...step.inputs, ...step.uses, ...judged.discovered.map(({ name }) => name)];
  return names.flatMap((input) => {
    const maker = graph.makers.get(input);
    const standing = maker && previewed.get(maker)?.standing;
    if (!maker || !standing || standing.kind === "fresh") return [];
    const kind = standing.kind === "would-run" ? "stale" : "may-run";
    const reasons = standing.kind === "would-run" ? standing.reasons : [];
    return [{ input, cause: { kind, step: maker.id, reasons } }];
  });
}

function explained(reason: Reason, previewed: Previewed, evidence: Evidence): Explained {
  switch (reason.why) {
    case "forced":
    case "no-record":
    case "recipe-changed":
    case "inputs-reordered":
    case "expired":
    case "provisional":
      return { reason };
    case "output-missing":
      return { reason, role: "output" };
    case "output-edited":
      return { reason, role: "output", ...withCause(modifiedCause(reason.output, evidence)) };
    case "input-added":
    case "input-removed":
      return { reason, role: roleOf(reason.input, previewed) };
    case "input-changed":
      return {
        reason,
        role: roleOf(reason.input, previewed),
        ...withCause(causeOf(reason.input, evidence)),
      };
  }
}

const withCause = (cause: Cause | undefined) => cause && { cause };

function roleOf(name: string, { step, judged }: Previewed): Role {
  if (step.inputs.includes(name)) return "input";
  if (step.uses.includes(name)) return "uses";
  return judged.discovered.some((one) => one.name === name) ? "needed" : "input";
}

/** Why an input says something else: its maker has run, or somebody has written the file. */
function causeOf(input: string, evidence: Evidence): Cause | undefined {
  const maker = evidence.graph.makers.get(input);
  if (!maker) return modifiedCause(input, evidence);
  const trace = evidence.previewed.get(maker)?.judged.trace;
  if (!trace) return undefined;
  const at = isoOf(Date.parse(trace.startedAt) + trace.durationMs);
  return { kind: "remade", at, because: trace.because ?? [] };
}

function modifiedCause(name: string, { modified }: Evidence): Cause | undefined {
  const ms = modified(name);
  return ms === undefined ? undefined : { kind: "modified", at: isoOf(ms) };
}
