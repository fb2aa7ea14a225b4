// Judges what another process has recorded while this one waited: whether it is just what was to be made. Knows nothing of locks or of where records are.
import { ok, type Result } from "../core/failure.js";
import { isRelationName } from "../core/target.js";
import type { Fact, Trace } from "../core/trace.js";
import { judge, named } from "../core/verdict.js";
import type { Attempt } from "../engine/ports.js";

export async function isFresh(
  { step, recipe, inputs, startedAt, forced }: Attempt,
  trace: Trace,
  observe: (names: readonly string[]) => Promise<Result<readonly Fact[]>>,
): Promise<Result<boolean>> {
  const before = trace.discovered ?? [];
  // Only the engine can ask for tables; it judges again next time.
  if (before.some(({ name }) => isRelationName(name))) return ok(false);
  const outputs = await observe(step.outputs);
  const found = outputs.ok ? await observe(before.map(({ name }) => name)) : outputs;
  if (!outputs.ok) return outputs;
  if (!found.ok) return found;
  const discovered = found.value.map((fact, i) => named(before[i]?.name ?? "", fact));
  const evidence = {
    step,
    recipe,
    inputs,
    discovered,
    outputs: outputs.value,
    trace,
    forced,
    nowMs: Date.parse(startedAt),
  };
  return ok(judge(evidence).kind === "fresh");
}
