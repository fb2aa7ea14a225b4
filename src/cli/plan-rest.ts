// Finds what of some names can be planned although a list is not known. Knows nothing of building or showing.
import { type Failure, ok, type Result } from "../core/failure.js";
import { expandInput, type Globs } from "../core/inputs.js";
import type { RuleSet } from "../core/rule-set.js";

export interface Around {
  readonly rules: RuleSet;
  readonly globs: Globs;
  /** Plans some names, whatever comes of it. */
  readonly plan: (names: readonly string[]) => Result<unknown>;
  /** Whether a failure is one to go around. */
  readonly isLost: (failure: Failure) => boolean;
}

/**
 * The names that can be planned, and of those that cannot, what they need and can be: as after a recipe that failed,
 * everything that does not hang on the list.
 */
export function plannable(names: readonly string[], around: Around): Result<readonly string[]> {
  return among(names, around, new Set());
}

/** By halves: of many names, a few hang on the list, or nearly all. */
function among(names: readonly string[], around: Around, seen: Set<string>): Result<readonly string[]> {
  if (names.length === 0) return ok([]);
  const planned = around.plan(names);
  if (planned.ok) return ok(names);
  if (!around.isLost(planned.error)) return planned;
  const [only = ""] = names;
  if (names.length === 1) return among(neededBy(only, around, seen), around, seen);
  const half = Math.ceil(names.length / 2);
  const first = among(names.slice(0, half), around, seen);
  if (!first.ok) return first;
  const second = among(names.slice(half), around, seen);
  return second.ok ? ok([...new Set([...first.value, ...second.value])]) : second;
}

/** What a name is made from, as far as that is known, without what was asked before. */
function neededBy(name: string, { rules, globs }: Around, seen: Set<string>): readonly string[] {
  const maker = rules.find(name);
  if (!maker.ok || !maker.value || seen.has(name)) return [];
  seen.add(name);
  const { rule, binding } = maker.value;
  const { declared, pendingBelow: pending } = rules;
  const expanding = { binding, globs, declared, pending, directory: () => undefined };
  const needed = [...rule.inputs, ...(rule.uses ?? []), ...rule.after].flatMap((spec) => {
    const found = spec.optional ? ok([]) : expandInput(spec, expanding);
    return found.ok ? found.value : [];
  });
  return [...new Set(needed)].filter((one) => !seen.has(one));
}
