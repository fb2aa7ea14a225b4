// What is seen of names during one build: each asked for once, in batches, each from the store that holds it. Knows nothing of rules.
import { ok, type Result } from "../core/failure.js";
import type { Step } from "../core/rule.js";
import { isRelationName } from "../core/target.js";
import type { Fact, Trace } from "../core/trace.js";
import type { Store } from "./ports.js";

export interface Stores {
  readonly files: Store;
  readonly tables: Store;
}

export const storeOf = (stores: Stores, name: string): Store =>
  isRelationName(name) ? stores.tables : stores.files;

/** Lives for one build. What a step has just published is set, not looked at again. */
export class Facts {
  readonly stores: Stores;
  readonly #known = new Map<string, Fact>();
  readonly #traces = new Map<Step, Trace | undefined>();

  constructor(stores: Stores) {
    this.stores = stores;
  }

  /** Sees to it that `of` can answer for all these names. */
  async observe(names: Iterable<string>): Promise<Result<void>> {
    const unknown = [...new Set(names)].filter((name) => !this.#known.has(name));
    for (const store of [this.stores.files, this.stores.tables]) {
      const mine = unknown.filter((name) => storeOf(this.stores, name) === store);
      if (mine.length === 0) continue;
      const facts = await store.observe(mine);
      if (!facts.ok) return facts;
      mine.forEach((name, i) => {
        const fact = facts.value[i];
        if (fact) this.#known.set(name, fact);
      });
    }
    return ok(undefined);
  }

  /** Nothing for a name that nobody has asked for. */
  seen(name: string): Fact | undefined {
    return this.#known.get(name);
  }

  of(name: string): Fact {
    const fact = this.seen(name);
    if (!fact) throw new Error(`bug: ${name} was never observed`);
    return fact;
  }

  /** Those of some names that somebody has touched since they were observed. */
  async moved(names: readonly string[]): Promise<Result<ReadonlySet<string>>> {
    const files = names.filter((name) => !isRelationName(name));
    const stamps = files.length === 0 ? ok([]) : await this.stores.files.stamps(files);
    if (!stamps.ok) return stamps;
    return ok(new Set(files.filter((name, i) => stamps.value[i] !== stampOf(this.of(name)))));
  }

  /** Sees to it that `traceOf` can answer for all these steps. */
  async recall(steps: readonly Step[]): Promise<Result<void>> {
    const unknown = steps.filter((step) => !this.#traces.has(step));
    for (const store of [this.stores.files, this.stores.tables]) {
      const mine = unknown.filter((step) => storeOf(this.stores, step.id) === store);
      if (mine.length === 0) continue;
      const found = await store.traces(mine);
      if (!found.ok) return found;
      mine.forEach((step, i) => {
        this.#traces.set(step, found.value[i]);
      });
    }
    return ok(undefined);
  }

  traceOf(step: Step): Trace | undefined {
    if (!this.#traces.has(step)) throw new Error(`bug: the record of ${step.id} was never read`);
    return this.#traces.get(step);
  }

  /** Has the record of a step read again should somebody ask for it: 100 000 of them are 150 MB. */
  release(step: Step): void {
    this.#traces.delete(step);
  }

  /** Has a step and what it looks at seen anew: somebody else was at work meanwhile. */
  forget(step: Step): void {
    for (const name of [...step.inputs, ...step.uses, ...step.outputs]) this.#known.delete(name);
    this.#traces.delete(step);
  }

  /** Takes over what a step has made. */
  async published(step: Step, trace: Trace): Promise<Result<void>> {
    const { outputs } = trace;
    this.#traces.set(step, trace);
    const files = outputs.filter(({ name }) => !isRelationName(name)).map(({ name }) => name);
    const stamps = files.length === 0 ? ok([]) : await this.stores.files.stamps(files);
    if (!stamps.ok) return stamps;
    for (const { name, digest } of outputs) {
      const stamp = stamps.value[files.indexOf(name)];
      this.#known.set(name, { kind: "present", digest, ...(stamp !== undefined && { stamp }) });
    }
    return ok(undefined);
  }
}

const stampOf = (fact: Fact): string | undefined => (fact.kind === "present" ? fact.stamp : undefined);
