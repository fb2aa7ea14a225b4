// Compares columns by name: what to send, what a table lacks, which types must grow, what cannot be. Pure; knows nothing of SQL.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { Contract } from "../core/rule.js";
import type { TableColumn } from "../engine/ports.js";
import { type Address, cut } from "./table-name.js";
import type { Column, Relation } from "./table-relation.js";
import { collationIn, holds, isInteger, merged, sameType } from "./table-types.js";

/** A source's column and where it goes. */
interface Placed {
  readonly source: string;
  /** The column's name in the table, which may be shorter (63 bytes) or cased otherwise. */
  readonly name: string;
  /** What the column is in the table, once the table has grown. */
  readonly type: string;
  readonly collation?: string;
  /** The source has no value of it. */
  readonly unseen?: true;
}

interface Grown extends TableColumn {
  readonly collation?: string;
  /** What it was. */
  readonly from: string;
}

/** How a source fits a table. The table grows by `added`, `grown` and `retyped` when the load is published, never before. */
export interface Fit {
  /** In the source's order. */
  readonly placed: readonly Placed[];
  readonly added: readonly TableColumn[];
  readonly grown: readonly Grown[];
  /** Columns that have no value in the table, and whose type is none that the source's values have. */
  readonly retyped: readonly (Grown & { readonly default: boolean })[];
  /** Columns of the source that the table is not to have. */
  readonly left: readonly string[];
}

export interface FitOptions {
  readonly contract: Contract;
  /** The partition column. */
  readonly key: string | undefined;
  /** The same, if the source has it, and it is to agree with the partition. */
  readonly ownKey: string | undefined;
  /** Columns of the source to whose types the table grows, though that holds not every value of its own type: each is checked. */
  readonly widened?: ReadonlySet<string>;
  /** Columns of the table that are known to hold no value, though it has rows. */
  readonly empty?: ReadonlySet<string>;
}

/**
 * Fits a source's columns to those of a table by name: the same spelling first, then, if only one column differs by case
 * alone, that one (publishers change `airport_fee` to `Airport_fee`, and DuckDB sees one name there as well).
 *
 * - `evolve`: a column that the table lacks is added, one that the source lacks takes its default or null, and a type grows
 *   if every value, old and new, keeps its exact meaning; a column without any value takes whatever type comes.
 * - `freeze`: nothing of the table changes, and the source has all of its columns.
 * - `discard`: nothing of the table changes; what it lacks is left out, and whoever sends the rows sees what does not fit.
 *
 * All that does not fit is told at once.
 */
export function fit(
  address: Address,
  table: Relation | undefined,
  source: readonly TableColumn[],
  options: FitOptions,
): Result<Fit> {
  const names = source.map(({ name }) => cut(name));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    return misfit(address, [`two columns of the source are called \`${twice}\``], renameHelp);
  if (table === undefined) return ok({ ...nothingElse, placed: source.map(asIs) });
  const existing = table.columns.filter(({ name }) => name !== options.key || name === options.ownKey);
  const pairs = pair(existing, source);
  const missing = existing.filter((column) => !pairs.some(({ into }) => into === column));
  const differences = [
    ...pairs.flatMap((one) => clash(one, options)),
    ...missing.flatMap((column) => unfilled(column, options)),
  ];
  if (differences.length > 0) {
    const { contract } = options;
    const help = contract === "freeze" ? freezeHelp : typeHelp;
    return misfit(address, differences, help, contract === "freeze" ? contract : undefined);
  }
  return ok(placement(pairs, options));
}

const nothingElse = { added: [], grown: [], retyped: [], left: [] };

const asIs = ({ name, type, unseen }: TableColumn): Placed => ({
  source: name,
  name: cut(name),
  type,
  ...(unseen && { unseen }),
});

interface Pair {
  readonly column: TableColumn;
  readonly into: Column | undefined;
}

function placement(pairs: readonly Pair[], options: FitOptions): Fit {
  const left = pairs.filter((one) => isLeftOut(one, options));
  const kept = pairs.filter((one) => !left.includes(one));
  const placed = kept.map(({ column, into }) => {
    if (into === undefined) return asIs(column);
    const { name: source, unseen } = column;
    const type = typeIn(column, into, options);
    return { source, name: into.name, type, ...collationIn(into, type), ...(unseen && { unseen }) };
  });
  const changed = kept.flatMap(({ into }, index) => {
    const { name, type, collation } = placed[index]!;
    if (into === undefined || sameType(into.type, type)) return [];
    return [
      { name, type, ...(collation && { collation }), from: into.type, default: into.default !== undefined },
    ];
  });
  const isRetyped = ({ type, from }: Grown): boolean => merged(from, type) === undefined;
  return {
    placed,
    added: placed
      .filter((_, index) => kept[index]!.into === undefined)
      .map(({ name, type }) => ({ name, type })),
    grown: changed.filter((one) => !isRetyped(one)).map(({ default: _, ...one }) => one),
    retyped: changed.filter(isRetyped),
    left: left.map(({ column }) => column.name),
  };
}

/** What the table's column is once it has taken the source's. */
function typeIn({ name, type, unseen }: TableColumn, into: Column, options: FitOptions): string {
  const isKey = options.ownKey !== undefined && into.name === options.ownKey;
  if (unseen || isKey || options.contract !== "evolve") return into.type;
  if (options.widened?.has(name)) return type;
  return merged(into.type, type) ?? (options.empty?.has(into.name) ? type : into.type);
}

const isLeftOut = ({ into }: Pair, { contract }: FitOptions): boolean =>
  contract === "discard" && (into === undefined || isOfItsOwn(into));

/** Whether Postgres refuses any value that is not its own. */
const isOfItsOwn = ({ computed, identity }: Column): boolean => computed && identity?.always !== false;

const renameHelp = "rename one of them in the source; Postgres keeps the first 63 bytes of a name";
export const typeHelp =
  'give the columns their types in the Datafile, as `columns: { amount: "DOUBLE" }`, or change the table with ALTER TABLE';
const freezeHelp =
  'change the table with ALTER TABLE, or the Datafile: `contract: "evolve"` lets dmake do it, `contract: "discard"` leaves out what is new';

/** Each source column with the table's column that it goes into, if there is one. */
function pair(existing: readonly Column[], source: readonly TableColumn[]): readonly Pair[] {
  const exact = source.map(({ name }) => cut(name));
  return source.map((column) => {
    const name = cut(column.name);
    const into = existing.find((other) => other.name === name);
    if (into || alike(name, exact).length !== 1) return { column: asked(column, into), into };
    const found = alike(
      name,
      existing.map((other) => other.name),
    );
    const other = found.length === 1 ? existing.find((one) => one.name === found[0]) : undefined;
    return { column: asked(column, other), into: other };
  });
}

/** A type that is only what the first rows look like is no reason to widen an integer of somebody's. */
const asked = (column: TableColumn, into: Column | undefined): TableColumn =>
  into && column.sampled && isInteger(column.type) && isInteger(into.type)
    ? { ...column, type: into.type }
    : column;

const alike = (name: string, names: readonly string[]): readonly string[] =>
  names.filter((other) => other.toLowerCase() === name.toLowerCase());

/** The name as it is spelt among others: itself, or the only one that differs by case alone. */
export function spelt(name: string, names: readonly string[]): string | undefined {
  if (names.includes(name)) return name;
  const [only, ...more] = alike(name, names);
  return more.length === 0 ? only : undefined;
}

function clash({ column, into }: Pair, options: FitOptions): readonly string[] {
  const { name, type, unseen } = column;
  if (into === undefined)
    return options.contract === "freeze" ? [`\`${name}\` (\`${type}\`) is not in the table`] : [];
  if (isLeftOut({ column, into }, options)) return [];
  if (isOfItsOwn(into)) return [`\`${into.name}\` is filled by Postgres itself, and the source has it too`];
  if (unseen) return [];
  switch (options.contract) {
    // The sender knows which of its types can be checked value by value.
    case "discard":
      return [];
    case "freeze":
      if (holds(into.type, type)) return [];
      return [
        `\`${name}\` is \`${type}\` in the source and \`${into.type}\` in the table, which does not hold every value of it`,
      ];
    case "evolve":
      if (merged(into.type, type) !== undefined || options.empty?.has(into.name)) return [];
      return [
        `\`${name}\` is \`${type}\` in the source and \`${into.type}\` in the table; neither holds the other exactly`,
      ];
  }
}

function unfilled(column: Column, { contract, ownKey }: FitOptions): readonly string[] {
  const { name, notNull, default: value, computed } = column;
  if (computed || value !== undefined || name === ownKey) return [];
  if (notNull) return [`\`${name}\` is NOT NULL in the table, has no default, and is not in the source`];
  return contract === "freeze" ? [`\`${name}\` (\`${column.type}\`) is not in the source`] : [];
}

/** The table's columns that stand in the way by their type alone: if they hold no value, they need not. */
export function clashing(
  table: Relation,
  source: readonly TableColumn[],
  { key }: FitOptions,
): readonly string[] {
  return pair(table.columns, source).flatMap(({ column, into }) => {
    if (into === undefined || into.computed || column.unseen || into.name === key) return [];
    return merged(into.type, column.type) === undefined ? [into.name] : [];
  });
}

/** What a fit does to a table, in words. */
export function changesOf({ added, grown, retyped, left }: Fit): readonly string[] {
  return [
    ...added.map(({ name, type }) => `column \`${name}\` was added as \`${type}\``),
    ...grown.map(({ name, type, from }) => `column \`${name}\` was widened from \`${from}\` to \`${type}\``),
    ...retyped.map(
      ({ name, type, from }) =>
        `column \`${name}\`, which had no values, was changed from \`${from}\` to \`${type}\``,
    ),
    ...left.map((name) => `column \`${name}\` of the source was left out`),
  ];
}

export function misfit(
  { schema, table }: Address,
  differences: readonly string[],
  help: string,
  contract?: "freeze" | "discard",
): { ok: false; error: Failure } {
  const named = `${schema}.${table}`;
  return fail({ reason: "table-shape", table: named, differences, help, ...(contract && { contract }) });
}
