// The handle of a rule, and selections of its targets. Knows nothing of who takes them.
import type { Place } from "../core/failure.js";
import { type Pattern, parsePattern, shownValue, valueProblem } from "../core/pattern.js";
import type { Rule } from "../core/rule.js";
import { mostTargets } from "../core/rule-set.js";
import { standFor } from "./input.js";
import { callerPlace, refuse, remember, take } from "./session.js";
import type { RuleHandle, Selection } from "./wild.js";

type Picked = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What the Datafile holds of a rule that it has declared. */
export function handleOf<W extends string>(rule: Rule): RuleHandle<W> {
  const all = (picks: Picked = {}) => select(rule, picks);
  const one = (values: Readonly<Record<string, string>>) => select(rule, values);
  const handle = Object.assign(one, { all }) as unknown as RuleHandle<W>;
  remember(handle, rule);
  return handle;
}

function select(rule: Rule, picked: Picked): Selection {
  const at = callerPlace();
  const wildcards = new Set(rule.outputs[0]?.wildcards);
  const target = rule.outputs[0]?.text ?? "";
  const picks: Record<string, readonly Pattern[]> = {};
  for (const [name, value] of Object.entries(picked)) {
    if (!wildcards.has(name))
      refuse({ reason: "unbound-wildcard", wildcard: name, where: "the selection", target, at });
    if (value === undefined) continue;
    wildcards.delete(name);
    picks[name] = pickedValues(name, [value].flat(), at);
  }
  for (const name of wildcards) {
    if (rule.domains[name]) continue;
    const help = `pick it, as \`{ ${name}: "…" }\`, or give the rule \`where: { ${name}: […] }\``;
    refuse({
      reason: "bad-rule",
      problem: `\`{${name}}\` of \`${target}\` has no domain to select from`,
      at,
      help,
    });
  }
  // While the values of one are not known, these are none: whoever takes the selection then asks for them.
  const count = [...new Set(rule.outputs[0]?.wildcards)].reduce(
    (product, name) => product * (picks[name]?.length ?? rule.domains[name]?.values.length ?? 0),
    rule.outputs.length,
  );
  if (count > mostTargets) {
    const problem = `the selection stands for ${count} targets of \`${target}\`, and at most ${mostTargets} can be taken`;
    refuse({ reason: "bad-rule", problem, at });
  }
  return standFor({ kind: "selection" }, { kind: "selection", rule, picks });
}

/** Values of a wildcard that a selection picks; the wildcards of the taking rule may stand in them. */
function pickedValues(name: string, texts: readonly unknown[], at: Place): readonly Pattern[] {
  if (texts.length === 0)
    refuse({ reason: "bad-rule", problem: `the selection picks no value of \`{${name}}\``, at });
  return texts.map((text) => {
    const problem = typeof text === "string" ? valueProblem(text) : "is not a text";
    if (problem)
      refuse({
        reason: "bad-rule",
        problem: `\`${shownValue(String(text))}\`, picked for \`{${name}}\`, ${problem}`,
        at,
      });
    return take(parsePattern(String(text), at));
  });
}
