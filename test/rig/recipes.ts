// Rules whose recipes are scripted by a test: copies, joins, failures, gates. Knows nothing of any store but through what a job is given.
import type { Failure, Place } from "../../src/core/failure.js";
import { fail, ok, type Result } from "../../src/core/failure.js";
import { type Domain, type Pattern, parseNamePattern } from "../../src/core/pattern.js";
import type { InputSpec, Recipe, Retries, Rule, TableDeclaration } from "../../src/core/rule.js";
import { isRelationName } from "../../src/core/target.js";
import type { Job, Outcome } from "../../src/engine/ports.js";

/** What a scripted recipe may do with the world: by name what is published, by path what is staged. */
export interface Desk {
  readonly read: (name: string) => string;
  readonly write: (path: string, text: string) => void;
  /** Changes what is published, behind everybody's back. */
  readonly edit: (name: string, text: string) => void;
}

export type Work = (job: Job, desk: Desk) => Promise<Result<Outcome>> | Result<Outcome>;

const scripts = new WeakMap<Recipe, Work>();

/** The scripted work behind a recipe of these rules. */
export function workOf(recipe: Recipe): Work {
  const work = scripts.get(recipe);
  if (!work) throw new Error("this recipe was not made by the rig");
  return work;
}

export const here: Place = { file: "/project/Datafile.ts", line: 1 };

export function pattern(text: string, at = here): Pattern {
  const parsed = parseNamePattern(text, at);
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value;
}

export const domains = (
  values: Readonly<Record<string, readonly string[]>>,
  open: readonly string[] = [],
): Record<string, Domain> =>
  Object.fromEntries(
    Object.entries(values).map(([name, list]) => [
      name,
      { values: list, ...(open.length > 0 && { open: list.filter((value) => open.includes(value)) }) },
    ]),
  );

export interface RuleOptions {
  /** Names, other rules, or inputs as they are declared. */
  readonly from?: readonly (string | Rule | InputSpec)[];
  readonly uses?: readonly (string | Rule | InputSpec)[];
  readonly after?: readonly (string | Rule | InputSpec)[];
  readonly where?: Readonly<Record<string, readonly string[]>>;
  /** Wildcard → the target whose content lists its values, which is not read yet. */
  readonly pending?: Readonly<Record<string, string>>;
  readonly name?: string;
  /** Line of the Datafile. */
  readonly line?: number;
  /** Part of the recipe's fingerprint. */
  readonly version?: string;
  readonly work?: Work;
  /** Values of wildcards that are still going on. */
  readonly open?: readonly string[];
  /** Of a table. */
  readonly table?: Partial<TableDeclaration>;
  readonly pools?: Readonly<Record<string, number>>;
  readonly timeoutMs?: number;
  readonly retries?: Retries;
}

const spec = (input: string | Rule | InputSpec): InputSpec => {
  if (typeof input === "string") return { kind: "pattern", pattern: pattern(input) };
  return "kind" in input ? input : { kind: "rule", rule: input };
};

export const glob = (text: string): InputSpec => ({ kind: "glob", pattern: pattern(text) });

export const maybe = (input: string | Rule | InputSpec): InputSpec => ({ ...spec(input), optional: true });

/** A rule that joins its inputs into each output, unless it is given other work. */
export function makes(outputs: string | readonly string[], options: RuleOptions = {}): Rule {
  const { from = [], uses = [], after = [], where = {}, pending = {} } = options;
  const { name, line = 1, version = "1", work = joins } = options;
  const declared = options.table && {
    table: { contract: "evolve", maxRejects: 0, ...options.table } as const,
  };
  const patterns = [outputs].flat().map((output) => pattern(output));
  return {
    name,
    at: { ...here, line },
    outputs: patterns,
    inputs: from.map(spec),
    uses: uses.map(spec),
    after: after.map(spec),
    domains: {
      ...domains(where, options.open),
      ...Object.fromEntries(
        Object.entries(pending).map(([name, target]) => [name, { values: [], pending: target }]),
      ),
    },
    ...(options.pools && { pools: options.pools }),
    ...(options.timeoutMs !== undefined && { timeoutMs: options.timeoutMs }),
    ...(options.retries && { retries: options.retries }),
    bind: () => {
      const recipe: Recipe = isRelationName(patterns[0]?.text ?? "")
        ? { kind: "load", columns: { version }, csv: {}, partitionColumn: undefined, ...declared }
        : { kind: "script", parts: { version }, run: async () => {} };
      scripts.set(recipe, work);
      return ok(recipe);
    },
  };
}

export const copies = (from: string, to: string, options: RuleOptions = {}): Rule =>
  makes(to, { from: [from], ...options });

export const made = ok({ kind: "made", facts: {} } satisfies Outcome);

/** Writes what the inputs hold, one after the other. */
export const joins: Work = async (job, desk) => {
  await put(job, desk, () => job.step.inputs.map(desk.read).join("\n"));
  return made;
};

/** As `joins`, with what it asks for while it runs: the names that its first input lists. */
export const needsWhatIsListed: Work = async (job, desk) => {
  const names = desk
    .read(job.step.inputs[0] ?? "")
    .split(" ")
    .filter(Boolean);
  const made1 = await job.need(names);
  if (!made1.ok) return made1;
  await put(job, desk, () => names.map(desk.read).join("\n"));
  return made;
};

/** Writes a text to all outputs of a job, of either kind. */
export async function put(job: Job, desk: Desk, text: (output: string) => string): Promise<void> {
  const { stage, step, signal } = job;
  if (stage.kind === "files")
    stage.paths.forEach((path, i) => {
      desk.write(path, text(step.outputs[i] ?? ""));
    });
  else if (stage.kind === "table") await stage.writer.copy(chunks(text(step.id)), signal);
}

async function* chunks(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

export const exit: Failure = { reason: "exit", command: "false", code: 1, signal: null };

/** Writes half of its output, and fails. */
export const fails: Work = async (job, desk) => {
  await put(job, desk, () => "half");
  return fail(exit);
};

/** A door that recipes wait at until the test opens it: shows how many are at work at once, without sleeping. */
export class Gate {
  /** Most recipes that were ever waiting at once. */
  most = 0;
  readonly #waiting = new Map<string, () => void>();
  readonly #watchers: { readonly count: number; readonly arrived: () => void }[] = [];

  readonly work: Work = async (job, desk) => {
    await new Promise<void>((open) => {
      this.#waiting.set(job.step.id, open);
      this.most = Math.max(this.most, this.#waiting.size);
      for (const { count, arrived } of this.#watchers) if (this.#waiting.size >= count) arrived();
    });
    return joins(job, desk);
  };

  get waiting(): readonly string[] {
    return [...this.#waiting.keys()];
  }

  /** Resolves once so many recipes stand at the gate. */
  arrivals(count: number): Promise<void> {
    if (this.#waiting.size >= count) return Promise.resolve();
    return new Promise((arrived) => this.#watchers.push({ count, arrived }));
  }

  open(step: string): void {
    const open = this.#waiting.get(step);
    if (!open) throw new Error(`${step} is not at the gate: ${this.waiting}`);
    this.#waiting.delete(step);
    open();
  }
}
