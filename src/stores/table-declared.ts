// What a Datafile declares of a table besides its rows, as statements that make a table so: nothing where it is so already. Pure; knows nothing of connections.
import { ok, type Result } from "../core/failure.js";
import { amendable } from "../core/fingerprint.js";
import type { IndexDeclaration, Privilege, TableDeclaration } from "../core/rule.js";
import type { Parts } from "../core/trace.js";
import { roleName } from "./table-keep.js";
import { readMark, readWords } from "./table-mark.js";
import { type Address, literal, niceName, quoted, relation } from "./table-name.js";
import type { Index, Relation } from "./table-relation.js";
import { misfit, spelt } from "./table-shape.js";
import type { WorkStatement } from "./table-work.js";

/** An index, its columns as the table spells them. */
export type WantedIndex = Required<IndexDeclaration>;

export interface Wanted {
  readonly primary: readonly string[];
  /** `primary` is what rows are merged by: a unique index will do, if the table has a primary key of its own. */
  readonly merge: boolean;
  readonly indexes: readonly WantedIndex[];
  readonly comment: string | undefined;
  readonly comments: ReadonlyMap<string, string>;
  readonly grants: ReadonlyMap<string, readonly string[]>;
}

export const nothingWanted: Wanted = {
  primary: [],
  merge: false,
  indexes: [],
  comment: undefined,
  comments: new Map(),
  grants: new Map(),
};

/** Statements, and the lock on the table that has to be taken before the first of them. */
export interface Work {
  readonly lock: "ACCESS EXCLUSIVE" | "SHARE ROW EXCLUSIVE" | undefined;
  readonly statements: readonly WorkStatement[];
  /** Keys and indexes that are there and go. */
  readonly dropped: ReadonlySet<string>;
  /** Those that come, for a partition to have them before it is one. */
  readonly keys: readonly (readonly string[])[];
  readonly indexes: readonly WantedIndex[];
}

interface Place {
  readonly address: Address;
  /** All that the table has by the time that the declaration is applied. */
  readonly columns: readonly string[];
  /** The partition column of a table that is partitioned: Postgres wants it in all that is unique. */
  readonly partitioned: string | undefined;
}

/** Reads a declaration for a table of some columns, whose names may be cased otherwise there. */
export function wantedOf(
  { address, columns, partitioned }: Place,
  { strategy, key = [], indexes = [], comment, comments = {}, grants = {} }: TableDeclaration,
): Result<Wanted> {
  const unknown: string[] = [];
  const named = (what: string) => (name: string) => {
    const found = spelt(name, columns);
    if (found === undefined) unknown.push(`\`${what}\` names \`${name}\`, which the table does not have`);
    return found ?? name;
  };
  const keyed = (names: readonly string[]): readonly string[] =>
    partitioned === undefined || names.length === 0 || names.includes(partitioned)
      ? names
      : [partitioned, ...names];
  const primary = keyed(key.map(named("key")));
  const wantedIndexes = indexes.map(({ columns: over, unique = false, method = "btree" }) => {
    const found = over.map(named("indexes"));
    return { columns: unique ? keyed(found) : found, unique, method };
  });
  const noted = Object.entries(comments).map(([name, text]) => [named("comments")(name), text] as const);
  if (unknown.length > 0)
    return misfit(address, unknown, `the table has ${columns.map((name) => `\`${name}\``).join(", ")}`);
  return ok({
    primary,
    merge: strategy === "merge",
    indexes: wantedIndexes,
    comment,
    comments: new Map(noted),
    grants: new Map(Object.entries(grants)),
  });
}

/** What an earlier load had declared, by the parts that it recorded. */
export function declaredIn(parts: Parts | undefined): TableDeclaration {
  const comments: Record<string, string> = {};
  const grants: Record<string, Privilege[]> = {};
  for (const [part, text] of Object.entries(parts ?? {})) {
    if (part.startsWith(`${amendable}comments.`)) comments[part.slice(`${amendable}comments.`.length)] = text;
    if (part.startsWith(`${amendable}grants.`))
      grants[part.slice(`${amendable}grants.`.length)] = text.split(", ") as Privilege[];
  }
  const comment = parts?.[`${amendable}comment`];
  return {
    contract: "evolve",
    maxRejects: 0,
    key: list(parts?.[`${amendable}key`]) as readonly string[],
    indexes: list(parts?.[`${amendable}indexes`]) as readonly IndexDeclaration[],
    ...(comment !== undefined && { comment }),
    comments,
    grants,
  };
}

function list(text: string | undefined): readonly unknown[] {
  if (text === undefined) return [];
  try {
    const found: unknown = JSON.parse(text);
    return Array.isArray(found) ? found : [];
  } catch {
    // The record can be edited by anybody; what cannot be read was not declared.
    return [];
  }
}

/** The primary key that the table still lacks, or nothing; and that it has another one. */
function missingKey(table: Relation, { primary, merge }: Wanted): readonly string[] | "other" | undefined {
  if (primary.length === 0) return undefined;
  const same = (columns: readonly string[] | undefined): boolean =>
    columns?.length === primary.length && primary.every((name) => columns.includes(name));
  const own = table.keys.find((key) => key.primary);
  if (own && same(own.columns)) return undefined;
  const unique = [
    ...table.keys.filter(({ definition }) => definition.startsWith("UNIQUE")),
    ...table.indexes.filter((index) => index.unique),
  ].some(({ columns }) => same(columns));
  if (merge && unique) return undefined;
  return own ? "other" : primary;
}

const missingIndexes = (table: Relation, { indexes }: Wanted): readonly WantedIndex[] =>
  indexes.filter((wanted) => !isThere(table, wanted));

function isThere(table: Relation, wanted: WantedIndex): boolean {
  if (table.indexes.some((index) => isSame(index, wanted))) return true;
  return (
    wanted.unique &&
    table.keys.some(
      ({ definition, columns }) =>
        definition.startsWith("UNIQUE") && columns.join("\0") === wanted.columns.join("\0"),
    )
  );
}

const isSame = (index: Index, wanted: WantedIndex): boolean =>
  index.unique === wanted.unique &&
  index.method === wanted.method &&
  index.columns?.join("\0") === wanted.columns.join("\0");

const indexOver = ({ method, columns }: Pick<WantedIndex, "method" | "columns">): string =>
  `USING ${method} (${columns.map(quoted).join(", ")})`;

/**
 * What has to be done to a table for a declaration. What `before` had, and the declaration has no more, is taken away again:
 * a key and an index only under a name that dmake gives, rights as they were given.
 */
export function workFor(address: Address, table: Relation, wanted: Wanted, before: Wanted): Result<Work> {
  const name = relation(address.schema, address.table);
  const gone = [...goneKeys(address, table, wanted, before), ...goneIndexes(address, table, wanted, before)];
  const dropped = new Set(gone.map((one) => one.name));
  const rest: Relation = {
    ...table,
    keys: table.keys.filter((key) => !dropped.has(key.name)),
    indexes: table.indexes.filter((index) => !dropped.has(index.name)),
  };
  const key = missingKey(rest, wanted);
  const other = rest.keys.find(({ primary }) => primary);
  if (key === "other" && !wanted.merge)
    return misfit(
      address,
      [
        `the primary key is (${other?.columns.join(", ")}), and the Datafile declares (${wanted.primary.join(", ")})`,
      ],
      `declare it so, or drop it, as \`ALTER TABLE ${address.schema}.${address.table} DROP CONSTRAINT ${quoted(other?.name ?? "")}\``,
    );
  const indexes = [
    ...missingIndexes(rest, wanted),
    ...(key === "other" ? [{ columns: wanted.primary, unique: true, method: "btree" as const }] : []),
  ];
  const keys = key === undefined || key === "other" ? [] : [key];
  const statements = [
    ...gone.map((one) => one.statement),
    ...keys.map((columns) => ({
      names: keyNames(address),
      under: (free: string) =>
        `ALTER TABLE ${name} ADD CONSTRAINT ${quoted(free)} PRIMARY KEY (${columns.map(quoted).join(", ")})`,
    })),
    ...indexes.map((index) => ({
      names: indexNames(address, index),
      under: (free: string) =>
        `CREATE ${index.unique ? "UNIQUE " : ""}INDEX ${quoted(free)} ON ${name} ${indexOver(index)}`,
    })),
    ...notes(name, table, wanted, before),
    ...rights(name, table, wanted, before),
  ];
  const lock =
    gone.length + keys.length > 0
      ? "ACCESS EXCLUSIVE"
      : indexes.length > 0
        ? "SHARE ROW EXCLUSIVE"
        : undefined;
  return ok({ lock, statements, dropped, keys, indexes });
}

/** The same for a side table, so that nothing has to be built once it is attached. */
export const sideWork = ({ keys, indexes }: Work, side: string): readonly string[] => [
  ...keys.map((columns) => `ALTER TABLE ${side} ADD PRIMARY KEY (${columns.map(quoted).join(", ")})`),
  ...indexes.map((index) => `CREATE ${index.unique ? "UNIQUE " : ""}INDEX ON ${side} ${indexOver(index)}`),
];

interface Gone {
  readonly name: string;
  readonly statement: string;
}

function goneKeys(address: Address, table: Relation, wanted: Wanted, before: Wanted): readonly Gone[] {
  if (before.primary.length === 0 || before.primary.join("\0") === wanted.primary.join("\0")) return [];
  return table.keys
    .filter(
      ({ name, primary, columns }) =>
        primary && keyNames(address).includes(name) && columns.join("\0") === before.primary.join("\0"),
    )
    .map(({ name }) => ({
      name,
      statement: `ALTER TABLE ${relation(address.schema, address.table)} DROP CONSTRAINT ${quoted(name)}`,
    }));
}

function goneIndexes(address: Address, table: Relation, wanted: Wanted, before: Wanted): readonly Gone[] {
  return before.indexes.flatMap((old) => {
    if (wanted.indexes.some((index) => isSame({ ...index, name: "", definition: "" }, old))) return [];
    const found = table.indexes.find(
      (index) => isSame(index, old) && indexNames(address, old).includes(index.name),
    );
    if (found === undefined) return [];
    return [{ name: found.name, statement: `DROP INDEX ${relation(address.schema, found.name)}` }];
  });
}

const keyNames = ({ table }: Address): readonly string[] => niceName(table, [], "pkey");

const indexNames = ({ table }: Address, { columns, unique, method }: WantedIndex): readonly string[] =>
  niceName(table, method === "btree" ? columns : [...columns, method], unique ? "key" : "idx");

/** The words of a table's comment, the mark left out: those that the Datafile has, or those that are there. */
export function wordsFor(
  comment: string | undefined,
  wanted: Pick<Wanted, "comment">,
  before: Pick<Wanted, "comment">,
): string | undefined {
  const there = readWords(comment ?? null);
  return wanted.comment ?? (there === before.comment ? undefined : there);
}

/** Of a table that carries a mark, its comment is written with that. */
function* notes(name: string, table: Relation, wanted: Wanted, before: Wanted): Generator<string> {
  const words = wordsFor(table.comment, wanted, before);
  if (readMark(table.comment ?? null) === undefined && words !== table.comment)
    yield `COMMENT ON TABLE ${name} IS ${words === undefined ? "NULL" : literal(words)}`;
  for (const [column, text] of before.comments)
    if (!wanted.comments.has(column) && commentOn(table, column) === text)
      yield `COMMENT ON COLUMN ${name}.${quoted(column)} IS NULL`;
  for (const [column, text] of wanted.comments)
    if (commentOn(table, column) !== text)
      yield `COMMENT ON COLUMN ${name}.${quoted(column)} IS ${literal(text)}`;
}

const commentOn = ({ columns }: Relation, name: string): string | undefined =>
  columns.find((column) => column.name === name)?.comment;

function* rights(name: string, table: Relation, wanted: Wanted, before: Wanted): Generator<string> {
  const has = (role: string, privilege: string): boolean =>
    table.grants.some(
      (grant) => grant.role.toLowerCase() === role.toLowerCase() && grant.privilege === privilege,
    );
  for (const [role, privileges] of before.grants) {
    const kept = wanted.grants.get(role) ?? [];
    const gone = privileges.filter((one) => !kept.includes(one) && has(role, one));
    if (gone.length > 0 && role !== table.owner)
      yield `REVOKE ${gone.join(", ")} ON ${name} FROM ${roleName(role)}`;
  }
  for (const [role, privileges] of wanted.grants) {
    const missing = privileges.filter((one) => !has(role, one));
    if (missing.length > 0 && role !== table.owner)
      yield `GRANT ${missing.join(", ")} ON ${name} TO ${roleName(role)}`;
  }
}
