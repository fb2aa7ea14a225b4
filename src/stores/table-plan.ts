// Chooses how the rows of a load take the place of the old ones, and refuses tables that cannot take them so. Pure; knows nothing of SQL's ways.
import { ok, type Result } from "../core/failure.js";
import type { LoadRecipe, SqlRecipe, Strategy, TableDeclaration } from "../core/rule.js";
import type { Address } from "./table-name.js";
import { inherited, type Relation } from "./table-relation.js";
import { misfit, spelt } from "./table-shape.js";

/** What a Datafile says of a table that it says nothing of. */
const nothingDeclared: TableDeclaration = { contract: "evolve", maxRejects: 0 };

export const declarationOf = ({ table }: LoadRecipe | SqlRecipe): TableDeclaration =>
  table ?? nothingDeclared;

/**
 * The strategy for a table as it is: what the Datafile says, or else what fits. A whole table is replaced; a partition is
 * swapped, but for one table that is there unpartitioned and has the partition column: of that the rows are deleted.
 */
export function strategyOf(
  address: Address,
  table: Relation | undefined,
  key: string | undefined,
  { strategy, key: primary }: TableDeclaration,
): Result<Strategy> {
  if (strategy === "merge" && (primary ?? []).length === 0)
    return misfit(address, ["`merge` goes by a key, and none is declared"], 'declare it, as `key: ["id"]`');
  if (key === undefined) return whole(address, table, strategy === "merge" ? "merge" : "replace");
  const chosen = strategy ?? (table?.kind === "plain" && hasColumn(table, key) ? "delete" : "swap");
  if (table === undefined) return ok(chosen);
  switch (chosen) {
    case "swap":
      return swappable(address, table, key);
    case "delete":
    case "merge":
      return unpartitioned(address, table, key, chosen);
    case "replace":
      return misfit(
        address,
        ["`replace` is for whole tables"],
        "leave `strategy` out, or name the table without a partition",
      );
  }
}

const hasColumn = ({ columns }: Relation, name: string): boolean =>
  columns.some((column) => column.name === name);

function whole(address: Address, table: Relation | undefined, chosen: "merge" | "replace"): Result<Strategy> {
  if (table === undefined || table.kind === "plain") return ok(chosen);
  const name = nameOf(address);
  const what = table.kind === "partitioned" ? `partitioned by LIST (${table.key})` : table.otherwise;
  return misfit(
    address,
    [`\`${name}\` is no ordinary table: it is ${what}`],
    table.kind === "partitioned"
      ? `name a partition, as \`table:${name}/…\`, or another table`
      : anotherOf(table),
  );
}

const anotherOf = ({ otherwise }: Relation): string =>
  otherwise === inherited
    ? "load its children, or make them no children of it, as `ALTER TABLE child NO INHERIT parent`; or name another table"
    : "name another table";

function swappable(address: Address, table: Relation, key: string): Result<Strategy> {
  const name = nameOf(address);
  const wanted = `PARTITION BY LIST (${key})`;
  const help = `rename it, as \`ALTER TABLE ${name} RENAME TO ${address.table}_old\`, and let dmake make its own, or name another table`;
  if (table.kind === "plain") {
    const near = spelt(
      key,
      table.columns.map((column) => column.name),
    );
    if (near !== undefined && near !== key)
      return misfit(
        address,
        [`\`${name}\` is not partitioned; ${wanted} is needed`],
        `set \`partitionColumn: "${near}"\` in the Datafile: its rows are then replaced by that column`,
      );
    const instead = near === key ? ', or leave out `strategy: "swap"`' : `, or add a column \`${key}\` to it`;
    return misfit(address, [`\`${name}\` is not partitioned; ${wanted} is needed`], `${help}${instead}`);
  }
  if (table.kind === "other")
    return misfit(
      address,
      [`\`${name}\` is ${table.otherwise}; ${wanted} is needed`],
      /RANGE|HASH/.test(table.otherwise)
        ? `${help}; one of its partitions can be loaded by itself, as a whole table`
        : table.otherwise === inherited
          ? anotherOf(table)
          : help,
    );
  if (table.key === key) return ok("swap");
  return misfit(
    address,
    [`\`${name}\` is partitioned by \`${table.key}\`; ${wanted} is needed`],
    `set \`partitionColumn: "${table.key}"\` in the Datafile, or name another table`,
  );
}

function unpartitioned(
  address: Address,
  table: Relation,
  key: string,
  chosen: "delete" | "merge",
): Result<Strategy> {
  const name = nameOf(address);
  if (table.kind !== "plain") {
    const what = table.kind === "partitioned" ? `partitioned by LIST (${table.key})` : table.otherwise;
    return misfit(
      address,
      [`\`${name}\` is ${what}; \`${chosen}\` needs one ordinary table`],
      table.kind === "partitioned"
        ? `leave \`strategy: "${chosen}"\` out of the Datafile, or name another table`
        : anotherOf(table),
    );
  }
  const column = table.columns.find((other) => other.name === key);
  if (column === undefined)
    return misfit(
      address,
      [`\`${name}\` has no column \`${key}\`, which says whose rows are whose`],
      `add it, as \`ALTER TABLE ${name} ADD COLUMN ${key} text\`, or say \`partitionColumn\` in the Datafile`,
    );
  if (!column.computed) return ok(chosen);
  return misfit(
    address,
    [`the partition column \`${key}\` is filled by Postgres itself`],
    "say another `partitionColumn` in the Datafile",
  );
}

export const nameOf = ({ schema, table }: Address): string => `${schema}.${table}`;
