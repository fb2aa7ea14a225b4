// Checks the names that the values of wildcards make: each must be of the kind, and in the place, that its pattern says. Knows nothing of what is on disk.
import type { Place } from "../core/failure.js";
import { type Domain, fill, type Pattern, shownValue, valueProblem } from "../core/pattern.js";
import type { Binding, InputSpec } from "../core/rule.js";
import { isRelationName, isTemporaryName, isViewName, relationPrefixes } from "../core/target.js";
import { refuse } from "./session.js";

export interface Naming {
  readonly outputs: readonly Pattern[];
  readonly inputs: readonly InputSpec[];
  readonly domains: Readonly<Record<string, Domain>>;
  readonly at: Place;
}

/**
 * A check for each set of values that a rule is bound to. Values come from lists that were downloaded and from names that
 * were asked for, so any of them may be somebody else's.
 */
export function nameCheck({ outputs, inputs, domains, at }: Naming): (values: Binding) => void {
  const [first] = outputs;
  // Those of a domain were looked at when it was declared.
  const open = [...new Set(first?.wildcards)].filter((name) => {
    const domain = domains[name];
    return domain === undefined || domain.pending !== undefined;
  });
  const patterns = inputs.flatMap((input) => (input.kind === "pattern" ? [input.pattern] : []));
  const mayBeRelation = [...outputs, ...patterns].filter(couldBecomeRelation);
  const tables = outputs.filter(({ text }) => isRelationName(text));
  const files = outputs.filter(({ text }) => !isRelationName(text));
  const text = first?.text ?? "";
  return (values) => {
    for (const name of open) {
      const value = values[name] ?? "";
      const problem = valueProblem(value);
      if (problem === undefined) continue;
      refused(`\`${shownValue(value)}\`, as \`{${name}}\` of \`${text}\`, ${problem}`, at);
    }
    for (const pattern of mayBeRelation) {
      const made = fill(pattern, values);
      if (!isRelationName(made)) continue;
      const kind = isViewName(made) ? "view" : "table";
      refused(`\`${pattern.text}\` is a file, and \`${made}\` would be a ${kind}`, at);
    }
    for (const pattern of tables) checkTable(pattern, values, at);
    for (const pattern of files) checkFile(pattern, values, at);
  };
}

const refused = (problem: string, at: Place): never =>
  refuse({
    reason: "bad-rule",
    problem,
    at,
    help: "take the value out of its list, in the function given to `valuesIn` if it is read from a file, or ask for another name",
  });

/** Whether its literal beginning leaves it to the values to make it the name of a table or a view. */
const couldBecomeRelation = ({ text, literals: [beginning = ""] }: Pattern): boolean =>
  !isRelationName(text) && Object.values(relationPrefixes).some((prefix) => prefix.startsWith(beginning));

/** What stands before the first dot of a table's name is its schema: no value may bring that dot with it. */
function checkTable({ text, literals, wildcards }: Pattern, values: Binding, at: Place): void {
  for (const [i, name] of wildcards.entries()) {
    if (literals[i]?.includes("/")) return;
    const value = values[name] ?? "";
    if (!value.includes(".")) continue;
    refused(`\`${value}\`, as \`{${name}}\` of \`${text}\`, has a \`.\` and would name another schema`, at);
  }
}

/** Names that may belong to somebody: looked at closely only where they are. */
const suspicious = /\.git|\.dmake/i;

/** Who has folders, and files, of these names wherever they are. Some file systems do not tell capitals apart. */
function ownerOf(part: string): string | undefined {
  if (isTemporaryName(part)) return "which is how dmake calls its temporary files";
  const lower = part.toLowerCase();
  if (lower === ".dmake") return "which is for dmake's own files";
  return lower === ".git" ? "which is for git's own files" : undefined;
}

/** Refuses what belongs to somebody, unless that is what the Datafile says literally. */
function checkFile(pattern: Pattern, values: Binding, at: Place): void {
  const name = fill(pattern, values);
  if (!suspicious.test(name)) return;
  const written = pattern.text.split("/");
  for (const [i, part] of name.split("/").entries()) {
    const owner = ownerOf(part);
    if (owner === undefined || (part === written[i] && !isTemporaryName(part))) continue;
    refused(`\`${pattern.text}\` would make \`${name}\`, in \`${part}\`, ${owner}`, at);
  }
}
