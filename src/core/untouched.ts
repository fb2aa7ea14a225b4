// Says in words all that makes a step what it is, so that steps of two runs can be told to be the same. Knows nothing of files or records.
import { recipeParts } from "./fingerprint.js";
import type { Step } from "./rule.js";
import { isRelationName } from "./target.js";
import type { Trace } from "./trace.js";

/** What a step looks at and what it makes: all of these have to be as they were. */
export const namesOf = ({ outputs, inputs, uses }: Step): readonly string[] =>
  uses.length === 0 && outputs.length === 1 && inputs.length === 1
    ? [outputs[0] ?? "", inputs[0] ?? ""]
    : [...outputs, ...inputs, ...uses];

/**
 * The words of a step whose verdict depends on its recipe and on the content of files alone: the same words and untouched
 * files are the same verdict. Of any other step nothing: of tables, of what need not be there, of what hangs on the clock.
 */
export function wordsOfStep(step: Step): readonly string[] | undefined {
  const { recipe, optional, open, directories, outputs, inputs, uses } = step;
  if (optional.size > 0 || directories.size > 0 || open) return undefined;
  if (recipe.kind === "download" && recipe.maxAgeMs !== undefined) return undefined;
  if (outputs.some(isRelationName) || inputs.some(isRelationName)) return undefined;
  const parts = recipeParts(step, []);
  if (!parts.ok) return undefined;
  const words = uses.length === 0 ? [...outputs, ...inputs] : [...outputs, ...inputs, ...uses];
  words.push(`${outputs.length} ${inputs.length}`);
  for (const name in parts.value) words.push(name, parts.value[name] ?? "");
  // Those of another number are never taken for the same, where in them one ends and the next begins.
  words.push(String(words.length));
  return words;
}

/** Whether a record holds nothing besides that may change: what the recipe had found out that it needs, or a month that is open. */
export const isSettled = ({ discovered, provisional }: Trace): boolean =>
  (discovered === undefined || discovered.length === 0) && !provisional;
