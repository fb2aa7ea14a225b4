// Checks what a Datafile says of a table besides its rows. Knows nothing of Postgres' catalogues or of loading.
import type { Place } from "../core/failure.js";
import type { Pattern } from "../core/pattern.js";
import type { IndexDeclaration, Privilege, Strategy, TableDeclaration } from "../core/rule.js";
import { refuse } from "./session.js";

/** As given: nobody has checked it, since a Datafile may be JavaScript. */
export interface ShapeOptions {
  readonly partitionColumn?: unknown;
  readonly strategy?: unknown;
  readonly contract?: unknown;
  readonly maxRejects?: unknown;
  readonly key?: unknown;
  readonly indexes?: unknown;
  readonly comment?: unknown;
  readonly comments?: unknown;
  readonly grants?: unknown;
}

/** The options of `table` and `sql` that `declarationOf` reads. */
export const shapeOptions = [
  "partitionColumn",
  "strategy",
  "contract",
  "key",
  "indexes",
  "comment",
  "comments",
  "grants",
] as const satisfies readonly (keyof ShapeOptions)[];

const strategies = ["swap", "delete", "replace", "merge"] as const;
const contracts = ["evolve", "freeze", "discard"] as const;
const methods = ["btree", "brin", "hash", "gin", "gist"] as const;
const privileges = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"] as const;

/** What is declared of the table, or nothing if nothing is. */
export function declarationOf(options: ShapeOptions, at: Place): TableDeclaration | undefined {
  const known = [...shapeOptions, "maxRejects"] as const;
  if (known.every((name) => options[name] === undefined)) return undefined;
  const strategy = optional(options.strategy, (one) => oneOf(one, strategies, "`strategy`", at));
  const contract = optional(options.contract, (one) => oneOf(one, contracts, "`contract`", at)) ?? "evolve";
  const key = optional(options.key, (one) => columnNames(one, "`key`", at));
  if (strategy === "merge" && key === undefined)
    bad("`merge` needs to know by which columns rows are the same", at, 'key: "id"');
  const maxRejects = options.maxRejects ?? 0;
  if (typeof maxRejects !== "number" || !Number.isSafeInteger(maxRejects) || maxRejects < 0)
    bad("`maxRejects` is a whole number from 0", at, "maxRejects: 100");
  const indexes = optional(options.indexes, (list) => indexesOf(list, at));
  const comment = optional(options.comment, (one) => text(one, "`comment`", at));
  const comments = optional(options.comments, (one) => textsByName(one, "`comments`", at));
  const grants = optional(options.grants, (one) => grantsOf(one, at));
  return {
    ...(strategy && { strategy }),
    contract,
    maxRejects: maxRejects as number,
    ...(key && { key }),
    ...(indexes && { indexes }),
    ...(comment !== undefined && { comment }),
    ...(comments && { comments }),
    ...(grants && { grants }),
    ...(options.partitionColumn !== undefined && { ownKey: true }),
  };
}

/** A strategy goes with a partition or with a whole table. */
export function strategyProblem(
  strategy: Strategy | undefined,
  { text: target }: Pattern,
): { readonly problem: string; readonly help: string } | undefined {
  const isPartition = target.includes("/");
  if ((strategy === "swap" || strategy === "delete") && !isPartition)
    return {
      problem: `\`${strategy}\` is how a partition is replaced, and \`${target}\` is a whole table`,
      help: 'strategy: "replace"',
    };
  if (strategy === "replace" && isPartition)
    return {
      problem: `\`replace\` replaces a whole table, and \`${target}\` is a partition`,
      help: 'strategy: "swap", or "delete" for a table that is not partitioned',
    };
  return undefined;
}

const optional = <T>(given: unknown, read: (given: unknown) => T): T | undefined =>
  given === undefined ? undefined : read(given);

const bad = (problem: string, at: Place, help: string): never =>
  refuse({ reason: "bad-rule", problem, at, help });

function oneOf<T extends string>(given: unknown, known: readonly T[], what: string, at: Place): T {
  const found = known.find((one) => one === given);
  const list = known.map((one) => `"${one}"`).join(", ");
  return found ?? bad(`${what} is one of ${list}, not \`${String(given)}\``, at, `"${known[0]}"`);
}

function text(given: unknown, what: string, at: Place): string {
  if (typeof given !== "string" || given.includes("\0")) return bad(`${what} is a text`, at, '"some text"');
  return given;
}

function columnNames(given: unknown, what: string, at: Place): readonly string[] {
  const names = [given].flat();
  if (names.length === 0 || names.some((name) => typeof name !== "string" || name === ""))
    return bad(`${what} is the name of a column, or a list of names`, at, '["id", "day"]');
  if (new Set(names).size < names.length) return bad(`${what} has a column twice`, at, "name it once");
  return names.map((name) => text(name, what, at));
}

function record(given: unknown, what: string, at: Place): readonly (readonly [string, unknown])[] {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    return bad(`${what} is an object that says something for each name`, at, '{ name: "…" }');
  const entries = Object.entries(given);
  if (entries.some(([name]) => name === "" || name.includes("\0")))
    return bad(`${what} has an empty name`, at, '{ name: "…" }');
  return entries;
}

/** An object that says a text for each name. */
export const textsByName = (given: unknown, what: string, at: Place): Readonly<Record<string, string>> =>
  Object.fromEntries(
    record(given, what, at).map(([name, one]) => [name, text(one, `${what} of \`${name}\``, at)]),
  );

function indexesOf(given: unknown, at: Place): readonly IndexDeclaration[] {
  if (!Array.isArray(given)) return bad("`indexes` is a list", at, 'indexes: ["id", ["a", "b"]]');
  return given.map((one): IndexDeclaration => {
    if (typeof one === "string" || Array.isArray(one)) return { columns: columnNames(one, "an index", at) };
    const entries = record(one, "an index", at);
    const stranger = entries.find(([name]) => !["columns", "unique", "method"].includes(name));
    if (stranger)
      bad(
        `an index has no option \`${stranger[0]}\``,
        at,
        '{ columns: ["id"], unique: true, method: "btree" }',
      );
    const { columns, unique, method } = Object.fromEntries(entries);
    if (unique !== undefined && typeof unique !== "boolean")
      bad("`unique` of an index is `true` or nothing", at, "unique: true");
    const how = optional(method, (name) => oneOf(name, methods, "`method` of an index", at));
    return {
      columns: columnNames(columns, "`columns` of an index", at),
      ...(unique === true && { unique: true }),
      ...(how && { method: how }),
    };
  });
}

function grantsOf(given: unknown, at: Place): Readonly<Record<string, readonly Privilege[]>> {
  const roles = record(given, "`grants`", at).map(([role, list]) => {
    const wanted = [list].flat().map((one) => (typeof one === "string" ? one.toUpperCase() : one));
    if (wanted.length === 0) bad(`\`grants\` gives \`${role}\` nothing`, at, `{ ${role}: "SELECT" }`);
    const granted = new Set(
      wanted.map((one) => oneOf(one, privileges, `what \`grants\` gives \`${role}\``, at)),
    );
    return [role, privileges.filter((one) => granted.has(one))] as const;
  });
  return Object.fromEntries(roles);
}
