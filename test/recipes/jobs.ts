// Jobs for the recipes that a Datafile's functions declare, in the current folder. Knows nothing of what a test expects.
import { ok } from "../../src/core/failure.js";
import type { Recipe, Rule, Step } from "../../src/core/rule.js";
import { collect, ruleOf, type Session } from "../../src/datafile/session.js";
import type { RuleHandle } from "../../src/datafile/wild.js";
import type { Job } from "../../src/engine/ports.js";
import { must } from "../rig/world.js";

/** The rule that a function of the Datafile declares. */
export async function declared(declare: () => RuleHandle): Promise<Rule> {
  const session: Session = { given: {}, root: process.cwd(), code: "sha256:code", rules: [], parameters: [] };
  const handle = must(await collect(session, async () => declare()));
  return ruleOf(handle)!;
}

export interface RunningJob {
  readonly job: Job;
  readonly logged: () => string;
  /** Resolves with the log so far once it holds this text. */
  readonly says: (text: string) => Promise<string>;
}

type Wish = Partial<Pick<Job, "signal" | "inputs" | "need">>;

/** A job whose outputs are staged as `OUTPUT.tmp`, its depfile as `.read.tmp`; whatever it needs is there. */
export function jobFor(step: Step, wish: Wish = {}): RunningJob {
  let text = "";
  const listeners = new Set<() => void>();
  const job: Job = {
    step,
    inputs: step.inputs,
    stage: { kind: "files", paths: step.outputs.map((output) => `${output}.tmp`), depfile: ".read.tmp" },
    previous: undefined,
    threads: 1,
    signal: new AbortController().signal,
    log: (more) => {
      text += more;
      for (const listener of listeners) listener();
    },
    progress: () => {},
    need: async () => ok(undefined),
    ...wish,
  };
  const says = (wanted: string) =>
    new Promise<string>((resolve) => {
      const listen = () => {
        if (text.includes(wanted)) resolve(text);
      };
      listeners.add(listen);
      listen();
    });
  return { job, logged: () => text, says };
}

/** What a step has and most tests do not look at. */
export const plain = {
  binding: {},
  uses: [],
  after: [],
  optional: new Set<string>(),
  directories: new Set<string>(),
};

/** The one step of a rule without wildcards, its recipe of the kind that is expected. */
export function stepFor<K extends Recipe["kind"]>(rule: Rule, kind: K, inputs: readonly string[] = []) {
  const recipe = must(rule.bind({}));
  if (recipe.kind !== kind) throw new Error(`a recipe of ${recipe.kind}`);
  const outputs = rule.outputs.map(({ text }) => text);
  const step: Step = { ...plain, id: outputs[0]!, rule, inputs, outputs, recipe };
  return { step, recipe: recipe as Extract<Recipe, { kind: K }> };
}
