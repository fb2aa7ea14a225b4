// Jobs for the recipes that a Datafile's functions declare, in the current folder. Knows nothing of what a test expects.
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

/** A job whose outputs are staged as `OUTPUT.tmp`. */
export function jobFor(step: Step, signal = new AbortController().signal): RunningJob {
  let text = "";
  const listeners = new Set<() => void>();
  const job: Job = {
    step,
    inputs: step.inputs,
    stage: { kind: "files", paths: step.outputs.map((output) => `${output}.tmp`) },
    previous: undefined,
    threads: 1,
    signal,
    log: (more) => {
      text += more;
      for (const listener of listeners) listener();
    },
    progress: () => {},
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

/** The one step of a rule without wildcards, its recipe of the kind that is expected. */
export function stepFor<K extends Recipe["kind"]>(rule: Rule, kind: K, inputs: readonly string[] = []) {
  const recipe = must(rule.bind({}));
  if (recipe.kind !== kind) throw new Error(`a recipe of ${recipe.kind}`);
  const outputs = rule.outputs.map(({ text }) => text);
  const step: Step = { id: outputs[0]!, rule, binding: {}, inputs, after: [], outputs, recipe };
  return { step, recipe: recipe as Extract<Recipe, { kind: K }> };
}
