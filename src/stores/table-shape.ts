// Compares columns by name: what to send, what a table lacks, which types must grow, what cannot be. Pure; knows nothing of SQL.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { TableColumn } from "../engine/ports.js";
import type { ExistingColumn, ExistingTable } from "./table-catalog.js";
import { type Address, cut } from "./table-name.js";
import { holds, merged } from "./table-types.js";

/** A source's column and where it goes. */
interface Placed {
  readonly source: string;
  /** The column's name in the table, which may be shorter (63 bytes) or cased otherwise. */
  readonly name: string;
  /** What the column is in the table, once the table has grown. */
  readonly type: string;
}

/** How a source fits a table. The table grows by `added` and `grown` when the load is published, never before. */
export interface Fit {
  /** In the source's order. */
  readonly placed: readonly Placed[];
  readonly added: readonly TableColumn[];
  readonly grown: readonly TableColumn[];
}

/**
 * Fits a source's columns to those of a table by name: the same spelling first, then, if only one column differs by case
 * alone, that one (publishers change `airport_fee` to `Airport_fee`, and DuckDB sees one name there as well).
 *
 * The contract is `evolve`: a column that the table lacks is added, one that the source lacks takes its default or null,
 * and a type grows if every value, old and new, keeps its exact meaning. All that does not fit is told at once.
 */
export function fit(
  address: Address,
  table: ExistingTable | undefined,
  source: readonly TableColumn[],
): Result<Fit> {
  const names = source.map(({ name }) => cut(name));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    return misfit(address, [`two columns of the source are called \`${twice}\``], renameHelp);
  if (table === undefined) {
    const placed = source.map(({ name, type }) => ({ source: name, name: cut(name), type }));
    return ok({ placed, added: [], grown: [] });
  }
  const existing = table.columns.filter(({ name }) => name !== table.key);
  const pairs = pair(existing, source);
  const differences = [
    ...pairs.flatMap(({ column, into }) => clash(column, into)),
    ...existing.filter((column) => !pairs.some(({ into }) => into === column)).flatMap(unfilled),
  ];
  if (differences.length > 0) return misfit(address, differences, typeHelp);
  const placed = pairs.map(({ column: { name, type }, into }) =>
    into === undefined
      ? { source: name, name: cut(name), type }
      : { source: name, name: into.name, type: merged(into.type, type)! },
  );
  return ok({
    placed,
    added: placed
      .filter((_, index) => pairs[index]!.into === undefined)
      .map(({ name, type }) => ({ name, type })),
    grown: placed
      .filter(({ type }, index) => pairs[index]!.into !== undefined && !holds(pairs[index]!.into!.type, type))
      .map(({ name, type }) => ({ name, type })),
  });
}

const renameHelp = "rename one of them in the source; Postgres keeps the first 63 bytes of a name";
export const typeHelp =
  'give the columns their types in the Datafile, as `columns: { amount: "DOUBLE" }`, or change the table with ALTER TABLE';

/** Each source column with the table's column that it goes into, if there is one. */
function pair(existing: readonly ExistingColumn[], source: readonly TableColumn[]) {
  const exact = new Set(source.map(({ name }) => cut(name)));
  const alike = (name: string, names: readonly string[]): readonly string[] =>
    names.filter((other) => other.toLowerCase() === name.toLowerCase());
  const alone = (name: string): boolean => alike(name, [...exact]).length === 1;
  return source.map((column) => {
    const name = cut(column.name);
    const others = alike(
      name,
      existing.map((other) => other.name),
    );
    const into = existing.find((other) => other.name === name);
    if (into || others.length !== 1 || !alone(name)) return { column, into };
    return { column, into: existing.find((other) => other.name === others[0]) };
  });
}

function clash({ name, type }: TableColumn, into: ExistingColumn | undefined): readonly string[] {
  if (into === undefined) return [];
  if (into.computed) return [`\`${into.name}\` is filled by Postgres itself, and the source has it too`];
  if (merged(into.type, type) !== undefined) return [];
  return [
    `\`${name}\` is \`${type}\` in the source and \`${into.type}\` in the table; neither holds the other exactly`,
  ];
}

function unfilled({ name, notNull, default: value, computed }: ExistingColumn): readonly string[] {
  if (!notNull || computed || value !== undefined) return [];
  return [`\`${name}\` is NOT NULL in the table, has no default, and is not in the source`];
}

export const misfit = (
  address: Address,
  differences: readonly string[],
  help: string,
): { ok: false; error: Failure } =>
  fail({ reason: "table-shape", table: `${address.schema}.${address.table}`, differences, help });

/** Whether what is called so can take the load: a table partitioned by that column, or a plain one for a whole table. */
export function checkKind(
  address: Address,
  table: ExistingTable | undefined,
  key: string | undefined,
): Result<void> {
  if (table === undefined) return ok(undefined);
  const name = `${address.schema}.${address.table}`;
  if (key === undefined) {
    if (table.kind === "plain") return ok(undefined);
    return misfit(
      address,
      [`\`${name}\` is no ordinary table`],
      `name a partition, as \`table:${name}/…\`, or another table`,
    );
  }
  const wanted = `PARTITION BY LIST (${key})`;
  const help = `rename it, as \`ALTER TABLE ${name} RENAME TO ${address.table}_old\`, and let dmake make its own, or name another table`;
  if (table.kind !== "partitioned")
    return misfit(address, [`\`${name}\` is not partitioned; ${wanted} is needed`], help);
  if (table.key !== key)
    return misfit(
      address,
      [`\`${name}\` is partitioned by \`${table.key}\`; ${wanted} is needed`],
      `set \`partitionColumn: "${table.key}"\` in the Datafile, or name another table`,
    );
  const type = table.columns.find((column) => column.name === key)!.type;
  const computed = table.columns.find((column) => column.computed);
  if (computed) return misfit(address, [`\`${computed.name}\` is filled by Postgres itself`], help);
  // The name of a partition is a text. In another type one value has many spellings, and `2023-1` would not find `2023-01`.
  if (/^(text|character varying)/.test(type)) return ok(undefined);
  return misfit(address, [`the partition column \`${key}\` is \`${type}\`; \`text\` is needed`], help);
}
