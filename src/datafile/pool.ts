// Pools: those that a Datafile declares, and what its rules take of them. Knows nothing of who runs when.
import { relative } from "node:path";
import type { Failure, Place } from "../core/failure.js";
import type { Rule } from "../core/rule.js";
import { similar } from "../core/similar.js";
import type { RuleKind } from "./call.js";
import type { Pool } from "./options.js";
import { callerPlace, type DeclaredPool, refuse, type Session, session } from "./session.js";

/** The pools that are there without being declared; `cpu` has as many places as the command line says. */
const builtIn: ReadonlyMap<string, number> = new Map([
  ["db", 8],
  ["console", 1],
]);

/** Why a pool cannot be declared. */
const reserved: ReadonlyMap<string, string> = new Map([
  ["cpu", "has as many places as the command line says with `-j`"],
  ["console", "has one place, as there is one terminal"],
]);

const poolName = /^[A-Za-z][\w.:-]*$/;

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 1;

/** What handles stand for. */
const names = new WeakMap<object, string>();

/** Declares a pool. Whoever declares it again, in another module perhaps, must mean the same size. */
export function declarePool(name: unknown, size: unknown): Pool {
  const at = callerPlace();
  const bad = (problem: string, help: string): never => refuse({ reason: "bad-rule", problem, at, help });
  if (typeof name !== "string" || !poolName.test(name))
    return bad(
      `\`${String(name)}\` is no name of a pool: it begins with a letter and has letters, digits and \`_ - . :\``,
      'pool("downloads", 2)',
    );
  const problem = reserved.get(name);
  if (problem !== undefined) return bad(`the pool \`${name}\` ${problem}`, "leave out the declaration");
  if (!isCount(size))
    return bad(
      `the pool \`${name}\` has so many places: a whole number from 1, and not \`${String(size)}\``,
      `pool("${name}", 2)`,
    );
  const { pools = new Map<string, DeclaredPool>() } = session();
  const known = pools.get(name);
  if (known && known.size !== size)
    bad(
      `the pool \`${name}\` has ${placesText(size)} here, and ${known.size} at \`${placeText(known.at)}\``,
      "declare it once, and import it",
    );
  if (!known) pools.set(name, { size, at });
  const handle: Pool = Object.freeze({ kind: "pool", name, size });
  names.set(handle, name);
  return handle;
}

const placesText = (count: number): string => (count === 1 ? "1 place" : `${count} places`);

const placeText = ({ file, line }: Place): string => `${relative(session().root, file)}:${line}`;

/** What a rule takes of which pool. That there are such pools is looked at once all of them are declared. */
export function poolsOf(given: unknown, { kind, at }: { readonly kind: RuleKind; readonly at: Place }) {
  const taken = new Map<string, number>();
  const bad = (problem: string, help: string): never => refuse({ reason: "bad-rule", problem, at, help });
  const take = (name: string, count: unknown) => {
    if (!isCount(count))
      bad(
        `\`pool\` takes so many places of \`${name}\`: a whole number from 1, and not \`${String(count)}\``,
        `pool: { ${name}: 1 }`,
      );
    if (taken.has(name))
      bad(`\`pool\` names \`${name}\` twice`, `say how many it takes, as \`{ ${name}: 2 }\``);
    taken.set(name, count as number);
  };
  if (typeof given === "object" && given !== null && !Array.isArray(given) && !names.has(given))
    for (const [name, count] of Object.entries(given)) take(name, count);
  else
    for (const one of given === undefined ? [] : [given].flat()) {
      const name = typeof one === "string" ? one : names.get(one as object);
      if (name === undefined)
        bad("`pool` takes pools, names of pools, or `{ NAME: COUNT }`", 'pool: "downloads"');
      else take(name, 1);
    }
  if (taken.has("console") && kind !== "sh" && kind !== "script")
    bad(
      `\`${kind}\` has no use for the terminal, which is what the pool \`console\` gives to a command or function`,
      "leave it out",
    );
  // Its connection, whatever else it takes.
  if ((kind === "table" || kind === "sql") && !taken.has("db")) taken.set("db", 1);
  return taken.size === 0 ? undefined : Object.fromEntries(taken);
}

/** The sizes of all pools but `cpu`, and the failure of the first rule that takes what there is not. */
export function poolSizes({ rules, pools = new Map() }: Pick<Session, "rules" | "pools">): {
  readonly sizes: ReadonlyMap<string, number>;
  readonly problem: Failure | undefined;
} {
  const sizes = new Map(builtIn);
  for (const [name, { size }] of pools) sizes.set(name, size);
  for (const rule of rules) {
    const problem = problemOf(rule, sizes);
    if (problem) return { sizes, problem };
  }
  return { sizes, problem: undefined };
}

function problemOf({ pools = {}, at }: Rule, sizes: ReadonlyMap<string, number>): Failure | undefined {
  for (const [name, count] of Object.entries(pools)) {
    if (name === "cpu") continue;
    const size = sizes.get(name);
    if (size === undefined) return unknown(name, { known: [...sizes.keys(), "cpu"], at });
    if (count <= size) continue;
    const problem = `it takes ${placesText(count)} of the pool \`${name}\`, which has ${size}: it could never run`;
    const help = reserved.has(name) ? `pool: "${name}"` : `pool("${name}", ${count})`;
    return { reason: "bad-rule", problem, at, help };
  }
  return undefined;
}

function unknown(
  name: string,
  { known, at }: { readonly known: readonly string[]; readonly at: Place },
): Failure {
  const [near] = similar(name, known);
  const help = near === undefined ? `declare it: pool("${name}", 2)` : `did you mean \`${near}\`?`;
  return { reason: "bad-rule", problem: `there is no pool \`${name}\``, at, help };
}
