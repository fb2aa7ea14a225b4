// A store that lives in memory, with the records beside the content. Knows nothing of rules, graphs or real disks.
import { type Failure, fail, type Holder, ok, type Result } from "../../src/core/failure.js";
import { digestOf } from "../../src/core/fingerprint.js";
import type { Step } from "../../src/core/rule.js";
import type { Digest, Fact, Origin, Trace } from "../../src/core/trace.js";
import type {
  Attempt,
  Finished,
  Published,
  Stage,
  Store,
  TableWriter,
  Waiting,
} from "../../src/engine/ports.js";

/** Lives for one test. What it was asked is counted, so that a test can say "one question for all partitions". */
export class MemoryStore implements Store {
  /** Name → content. What lies in a directory has its path as its name. */
  readonly content = new Map<string, string>();
  readonly records = new Map<string, Trace>();
  /** What recipes have written and nobody has published yet. */
  readonly staged = new Map<string, string>();
  /** Bytes that were there, were not made by a recipe, and had to make room. */
  readonly saved: { readonly name: string; readonly text: string }[] = [];
  /** The names of each question, one list a call. */
  readonly observed: (readonly string[])[] = [];
  readonly recalled: (readonly string[])[] = [];
  /** Names that cannot be looked at. */
  readonly broken = new Map<string, Failure>();
  /** Set: nothing can be asked at all. */
  unreachable: Failure | undefined;
  /** Set: another process has just made what an attempt was to make. */
  already: ((attempt: Attempt) => Trace | undefined) | undefined;
  /** Step → another process that makes it now, until it is `free`. */
  readonly locked = new Map<string, { readonly holder: Holder; readonly free: Promise<void> }>();
  /** Attempts that have a stage which was neither published nor discarded. */
  readonly open = new Set<string>();
  /** Step → whether what is there can be amended; without it, nothing can. */
  amends: ((attempt: Attempt) => boolean) | undefined;
  /** Set: what was made is on its way to the disk for as long as this takes. */
  disk: ((step: string) => Promise<void>) | undefined;
  /** Of each step that was on its way there: whether it was told that others run meanwhile. */
  readonly patience = new Map<string, boolean>();
  /** Where the content of the last table to be published came from. */
  origins: readonly Origin[] = [];
  /** What the next table to be published says that was changed of it. */
  changes: readonly string[] = [];
  /** How often anything was recorded or published. */
  writes = 0;
  readonly #kind: Stage["kind"];
  readonly #times = new Map<string, number>();
  #now = 0;

  constructor(kind: Stage["kind"]) {
    this.#kind = kind;
  }

  /** Writes, and so moves the time of the name, also where the content is the same. */
  put(name: string, text: string): void {
    this.content.set(name, text);
    this.#now += 1;
    this.#times.set(name, this.#now);
  }

  remove(name: string): void {
    for (const one of this.#inside(name)) this.content.delete(one);
  }

  async observe(names: readonly string[]): Promise<Result<readonly Fact[]>> {
    this.observed.push(names);
    const failure = this.unreachable ?? names.map((name) => this.broken.get(name)).find(Boolean);
    if (failure) return fail(failure);
    return ok(
      names.map((name): Fact => {
        const digest = this.#digest(name);
        return digest === undefined
          ? { kind: "absent" }
          : { kind: "present", digest, stamp: this.#stamp(name) ?? "" };
      }),
    );
  }

  async stamps(names: readonly string[]): Promise<Result<readonly (string | undefined)[]>> {
    return ok(names.map((name) => this.#stamp(name)));
  }

  async traces(steps: readonly Step[]): Promise<Result<readonly (Trace | undefined)[]>> {
    this.recalled.push(steps.map(({ id }) => id));
    return this.unreachable ? fail(this.unreachable) : ok(steps.map(({ id }) => this.records.get(id)));
  }

  /** Waits for whoever holds the step. */
  async #lock({ step }: Attempt, waiting?: Waiting): Promise<Result<void>> {
    const held = this.locked.get(step.id);
    if (!held) return ok(undefined);
    if (waiting?.noWait) return fail({ reason: "locked", target: step.id, holder: held.holder });
    waiting?.onWait(held.holder);
    const isCut = new Promise<true>((cut) => waiting?.signal?.addEventListener("abort", () => cut(true)));
    return (await Promise.race([held.free, isCut])) ? fail({ reason: "interrupted" }) : ok(undefined);
  }

  async stage(attempt: Attempt, waiting?: Waiting): ReturnType<Store["stage"]> {
    const locked = await this.#lock(attempt, waiting);
    if (!locked.ok) return locked;
    const trace = attempt.forced ? undefined : this.already?.(attempt);
    if (trace) return ok({ kind: "already", trace });
    this.open.add(attempt.id);
    if (this.#kind === "table") return ok({ kind: "table", writer: this.#writer(attempt) });
    const paths = attempt.step.outputs.map((name) => stagedName(name, attempt));
    return ok({ kind: "files", paths, depfile: `${stagedName(attempt.step.id, attempt)}.d` });
  }

  async publish(attempt: Attempt, _stage: Stage, finished: Finished): Promise<Result<Published>> {
    const { step } = attempt;
    if (this.disk) this.patience.set(step.id, finished.atRest?.() ?? false);
    await this.disk?.(step.id);
    this.open.delete(attempt.id);
    const saved: { output: string; path: string }[] = [];
    if (finished.outcome.kind === "made") {
      const missing = step.outputs.find((output) => this.#written(output, attempt).length === 0);
      if (missing !== undefined) return fail({ reason: "output-missing", output: missing });
      for (const output of step.outputs) {
        const foreign = this.#isForeign(output) ? this.content.get(output) : undefined;
        this.remove(output);
        for (const path of this.#written(output, attempt)) {
          this.put(output + path.slice(stagedName(output, attempt).length), this.staged.get(path) ?? "");
          this.staged.delete(path);
        }
        if (foreign === undefined || foreign === this.content.get(output)) continue;
        this.saved.push({ name: output, text: foreign });
        saved.push({ output, path: `saved/${output}` });
      }
    }
    const { inputs, discovered, outcome, durationMs } = finished;
    this.origins = finished.origins ?? [];
    const trace = this.#record(attempt, {
      inputs,
      ...(discovered.length > 0 && { discovered }),
      durationMs,
      facts: outcome.facts,
    });
    const { changes } = this;
    return ok({ trace, saved, ...(changes.length > 0 && { changes }) });
  }

  async amend(attempt: Attempt, waiting?: Waiting): Promise<Result<Trace | undefined>> {
    const locked = await this.#lock(attempt, waiting);
    if (!locked.ok) return locked;
    if (!this.amends?.(attempt) || !attempt.previous) return ok(undefined);
    const { inputs, durationMs, facts } = attempt.previous;
    return ok(this.#record(attempt, { inputs, durationMs, facts }));
  }

  async adopt(attempt: Attempt): Promise<Result<Trace>> {
    const missing = attempt.step.outputs.find((output) => this.#digest(output) === undefined);
    if (missing !== undefined) return fail({ reason: "output-missing", output: missing });
    const discovered = this.records.get(attempt.step.id)?.discovered;
    return ok(
      this.#record(attempt, {
        inputs: attempt.inputs,
        ...(discovered && { discovered }),
        durationMs: 0,
        facts: {},
      }),
    );
  }

  async discard(attempt: Attempt): Promise<void> {
    this.open.delete(attempt.id);
    for (const output of attempt.step.outputs)
      for (const path of this.#written(output, attempt)) this.staged.delete(path);
  }

  async close(): Promise<void> {}

  #record(attempt: Attempt, rest: Pick<Trace, "inputs" | "discovered" | "durationMs" | "facts">): Trace {
    const { id, step, recipe, because, startedAt } = attempt;
    const outputs = step.outputs.map((name) => ({ name, digest: this.#digest(name) ?? "" }));
    const trace: Trace = {
      ...rest,
      recipe,
      outputs,
      because,
      attempt: id,
      startedAt,
      checkedAt: startedAt,
      ...(attempt.provisional && { provisional: true }),
    };
    this.records.set(step.id, trace);
    this.writes += 1;
    return trace;
  }

  #written(output: string, attempt: Attempt): readonly string[] {
    const path = stagedName(output, attempt);
    return [...this.staged.keys()].filter((one) => one === path || one.startsWith(`${path}/`));
  }

  /** The names that are this one or lie in it, if it is a directory. */
  #inside(name: string): readonly string[] {
    if (this.content.has(name)) return [name];
    return [...this.content.keys()].filter((one) => one.startsWith(`${name}/`)).sort();
  }

  #digest(name: string): Digest | undefined {
    const text = this.content.get(name);
    if (text !== undefined) return digestOf(text);
    const inside = this.#inside(name);
    return inside.length === 0
      ? undefined
      : digestOf(JSON.stringify(inside.map((one) => [one.slice(name.length), this.content.get(one)])));
  }

  #stamp(name: string): string | undefined {
    if (this.#kind === "table") return undefined;
    const inside = this.#inside(name);
    return inside.length === 0 ? undefined : inside.map((one) => this.#times.get(one)).join(" ");
  }

  #isForeign(output: string): boolean {
    const digest = this.#digest(output);
    if (digest === undefined) return false;
    for (const { outputs } of this.records.values())
      if (outputs.some((one) => one.name === output && one.digest === digest)) return false;
    return true;
  }

  #writer(attempt: Attempt): TableWriter {
    return {
      open: async (columns) => ok(columns),
      copy: async (bytes) => {
        const parts: Uint8Array[] = [];
        for await (const part of bytes) parts.push(part);
        this.staged.set(stagedName(attempt.step.id, attempt), Buffer.concat(parts).toString());
        return ok(parts.length);
      },
      widen: async () => ok(undefined),
      reject: async () => ok(undefined),
    };
  }
}

const stagedName = (name: string, { id }: Attempt): string => `${name}.dmake-${id}.tmp`;
