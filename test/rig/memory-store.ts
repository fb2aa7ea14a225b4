// A store that lives in memory, with the records beside the content. Knows nothing of rules, graphs or real disks.
import type { Failure } from "../../src/core/failure.js";
import { fail, ok, type Result } from "../../src/core/failure.js";
import { digestOf } from "../../src/core/fingerprint.js";
import type { Step } from "../../src/core/rule.js";
import type { Fact, Trace } from "../../src/core/trace.js";
import type { Attempt, Outcome, Stage, Store, TableWriter } from "../../src/engine/ports.js";

/** Lives for one test. What it was asked is counted, so that a test can say "one question for all partitions". */
export class MemoryStore implements Store {
  readonly content = new Map<string, string>();
  readonly records = new Map<string, Trace>();
  /** What recipes have written and nobody has published yet. */
  readonly staged = new Map<string, string>();
  /** The names of each question, one list a call. */
  readonly observed: (readonly string[])[] = [];
  readonly recalled: (readonly string[])[] = [];
  /** Names that cannot be looked at. */
  readonly broken = new Map<string, Failure>();
  /** Set: nothing can be asked at all. */
  unreachable: Failure | undefined;
  /** Set: another process has just made what an attempt was to make. */
  already: ((attempt: Attempt) => Trace | undefined) | undefined;
  readonly #kind: Stage["kind"];

  constructor(kind: Stage["kind"]) {
    this.#kind = kind;
  }

  async observe(names: readonly string[]): Promise<Result<readonly Fact[]>> {
    this.observed.push(names);
    const failure = this.unreachable ?? names.map((name) => this.broken.get(name)).find(Boolean);
    if (failure) return fail(failure);
    return ok(
      names.map((name): Fact => {
        const text = this.content.get(name);
        return text === undefined ? { kind: "absent" } : { kind: "present", digest: digestOf(text) };
      }),
    );
  }

  async traces(steps: readonly Step[]): Promise<Result<readonly (Trace | undefined)[]>> {
    this.recalled.push(steps.map(({ id }) => id));
    return this.unreachable ? fail(this.unreachable) : ok(steps.map(({ id }) => this.records.get(id)));
  }

  async stage(attempt: Attempt): ReturnType<Store["stage"]> {
    const trace = attempt.forced ? undefined : this.already?.(attempt);
    if (trace) return ok({ kind: "already", trace });
    if (this.#kind === "table") return ok({ kind: "table", writer: this.#writer(attempt) });
    return ok({ kind: "files", paths: attempt.step.outputs.map((name) => stagedName(name, attempt)) });
  }

  async publish(
    attempt: Attempt,
    _stage: Stage,
    outcome: Outcome,
    durationMs: number,
  ): Promise<Result<Trace>> {
    const { outputs, id } = attempt.step;
    if (outcome.kind === "made") {
      const made = outputs.map((output) => this.staged.get(stagedName(output, attempt)));
      const missing = outputs.find((_, i) => made[i] === undefined);
      if (missing !== undefined) return fail({ reason: "output-missing", output: missing });
      outputs.forEach((output, i) => {
        this.content.set(output, made[i]!);
        this.staged.delete(stagedName(output, attempt));
      });
    }
    const trace: Trace = {
      recipe: attempt.recipe,
      inputs: attempt.inputs,
      outputs: outputs.map((name) => ({ name, digest: digestOf(this.content.get(name) ?? "") })),
      attempt: attempt.id,
      startedAt: attempt.startedAt,
      checkedAt: attempt.startedAt,
      durationMs,
      facts: outcome.facts,
    };
    this.records.set(id, trace);
    return ok(trace);
  }

  async discard(attempt: Attempt): Promise<void> {
    for (const output of attempt.step.outputs) this.staged.delete(stagedName(output, attempt));
  }

  async close(): Promise<void> {}

  #writer(attempt: Attempt): TableWriter {
    return {
      open: async (columns) => ok(columns),
      copy: async (bytes) => {
        const parts: Uint8Array[] = [];
        for await (const part of bytes) parts.push(part);
        this.staged.set(stagedName(attempt.step.id, attempt), Buffer.concat(parts).toString());
        return ok(parts.length);
      },
    };
  }
}

const stagedName = (name: string, { id }: Attempt): string => `${name}.dmake-${id}.tmp`;
