// Records what is there as if it had been made now, for a person who vouches for it. Knows nothing of how a record is kept.
import { fail, ok, type Result } from "../core/failure.js";
import { recipeParts } from "../core/fingerprint.js";
import type { Step } from "../core/rule.js";
import { named } from "../core/verdict.js";
import { shellWord } from "../core/word.js";
import { attemptOf } from "./execute.js";
import { Facts, type Stores, storeOf } from "./facts.js";
import type { Waiting } from "./ports.js";

/** Adopts one step; what it is made from is taken as it is, fresh or not. What is not there is `usage`. */
export async function adopt(step: Step, stores: Stores, waiting?: Waiting): Promise<Result<void>> {
  const facts = new Facts(stores);
  const looked = [...step.inputs, ...step.uses];
  const seen = await facts.observe([...looked, ...step.outputs]);
  if (!seen.ok) return seen;
  const isGone = (name: string) => facts.of(name).kind === "absent";
  const missing = looked.find((name) => !step.optional.has(name) && isGone(name));
  const output = step.outputs.find(isGone);
  if (missing !== undefined || output !== undefined) {
    const message =
      missing !== undefined
        ? `\`${step.id}\` is made from \`${missing}\`, which is not there`
        : `\`${output}\` is not there, so there is nothing to record`;
    return fail({ reason: "usage", message, help: `dmake ${shellWord(step.id)}` });
  }
  const inputs = looked.map((name) => named(name, facts.of(name)));
  const parts = recipeParts(step, inputs);
  if (!parts.ok) return parts;
  const attempt = attemptOf({ step, parts: parts.value, inputs, verdict: { kind: "fresh" } }, true);
  const adopted = await storeOf(stores, step.id).adopt(attempt, waiting);
  return adopted.ok ? ok(undefined) : adopted;
}
