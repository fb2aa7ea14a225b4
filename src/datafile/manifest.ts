// Values of wildcards that are listed in a target: read from its content, or awaited where that is not known yet. Knows nothing of building it.
import type { Place } from "../core/failure.js";
import { isRelationName } from "../core/target.js";
import { domainValues } from "./domain.js";
import { namesOf, specAt, wildcardsOf } from "./input.js";
import { callerPlace, DeclarationError, refuse, session, take, userPlace } from "./session.js";

/** Makes values of a target's content. */
export type Parse = (text: string) => readonly string[];

/** Stand-ins for lists that are not read yet → the target that lists the values. */
const pending = new WeakMap<object, string>();

/** The target whose content lists these values, where they are not read yet. */
export const pendingName = (values: unknown): string | undefined =>
  typeof values === "object" && values !== null ? pending.get(values) : undefined;

/** Lines with something on them. One line of JSON is hardly meant as one value. */
function lines(text: string, name: string, at: Place): readonly string[] {
  if (isJson(text)) {
    const problem = `\`${name}\` is JSON, and \`valuesIn\` takes each line of it as one value`;
    const help = `valuesIn(${JSON.stringify(name)}, (text) => JSON.parse(text))`;
    return refuse({ reason: "bad-rule", problem, at, help });
  }
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Whether a text is a list or an object as JSON. A byte order mark counts as blank. */
function isJson(text: string): boolean {
  if (!/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text.trim());
    return true;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** The values that `parse` finds in the content of one target; before that is built, a stand-in that only `where` takes. */
export function listedValues(input: unknown, parse?: Parse): readonly string[] {
  const at = callerPlace();
  const name = nameOf(input, at);
  if (parse !== undefined && typeof parse !== "function") {
    const problem = "`valuesIn` takes a function that makes a list of texts of a text";
    return refuse({ reason: "bad-rule", problem, at, help: 'valuesIn(index, (text) => text.split(","))' });
  }
  const text = session().manifests?.get(name);
  if (text === undefined) return standIn(name);
  const values = parse === undefined ? lines(text, name, at) : parsed(text, { name, parse, at });
  return domainValues(values, {
    of: `what \`valuesIn\` finds in \`${name}\``,
    at,
    help: `leave out what is no value: valuesIn(${JSON.stringify(name)}, (text) => text.split(/\\r?\\n/).filter((value) => /^[\\w-]+$/.test(value)))`,
  });
}

function parsed(
  text: string,
  { name, parse, at }: { readonly name: string; readonly parse: Parse; readonly at: Place },
): unknown {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof DeclarationError) throw error;
    const place = error instanceof Error ? userPlace(error, session().root) : undefined;
    const said = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    const message = `the values in \`${name}\` could not be read: ${said}`;
    return refuse({ reason: "datafile-threw", message, at: place ?? at });
  }
}

/** The one file that a rule without wildcards, a selection or a name stands for. */
function nameOf(input: unknown, at: Place): string {
  const help = 'valuesIn("data/index.txt")';
  const spec = specAt(input, at);
  if (!spec || spec.kind === "glob" || spec.optional) {
    const problem = "`valuesIn` takes a rule without wildcards, a selection of one target, or a name";
    return refuse({ reason: "bad-rule", problem, at, help });
  }
  const refused = (problem: string): never =>
    refuse({ reason: "bad-rule", problem: `\`valuesIn\` reads one file, and ${problem}`, at, help });
  const [open] = wildcardsOf(spec);
  if (open) refused(`${open.where} has \`{${open.wildcard}}\`, which nothing binds here`);
  const names = take(namesOf(spec));
  const [name] = names;
  if (name === undefined || names.length > 1) return refused(`this stands for ${names.length}`);
  if (isRelationName(name)) refused(`\`${name}\` is a table`);
  const patterns = spec.kind === "pattern" ? [spec.pattern] : spec.rule.outputs;
  if (patterns.some(({ directory }) => directory)) refused(`\`${name}/\` is a directory`);
  return name;
}

/** What `await` and module loaders ask of everything; a list has neither. */
const probes: readonly (string | symbol)[] = ["then", "__esModule"];

/**
 * Something that looks like a list and cannot be looked into: a domain that was made of no values would be silently
 * empty until the list is read.
 */
function standIn(name: string): readonly string[] {
  const refused = (): never => {
    const problem = `the values in \`${name}\` are known only once it is built: they can stand in \`where\`, and what is done with them belongs into the function given to \`valuesIn\``;
    const help = `where: { name: valuesIn("${name}", (text) => text.split("\\n").filter(Boolean)) }`;
    return refuse({ reason: "bad-rule", problem, at: callerPlace(), help });
  };
  const list: readonly string[] = new Proxy([], {
    get: (_, name) => (probes.includes(name) ? undefined : refused()),
    set: refused,
    has: (_, name) => (probes.includes(name) ? false : refused()),
    ownKeys: refused,
    getOwnPropertyDescriptor: refused,
    defineProperty: refused,
    deleteProperty: refused,
  });
  pending.set(list, name);
  return list;
}
