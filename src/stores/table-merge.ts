// Publishes rows into a table by key: a row whose key is there takes the old one's place, others are added. Knows nothing of the ledger or of commits.
import { fail, ok, type Result } from "../core/failure.js";
import { forgetOthers } from "./ledger.js";
import { checksumOf } from "./table-checksum.js";
import { contentOfAll } from "./table-content.js";
import { anyLoss } from "./table-evolve.js";
import type { Loading } from "./table-loading.js";
import { withRelationLocks } from "./table-locks.js";
import { quoted, relation } from "./table-name.js";
import { nameOf } from "./table-plan.js";
import { countAgrees, insertion, type Placed, type Publishing } from "./table-publishing.js";
import { becomeTable, lockAndGrow, unmark } from "./table-replace.js";
import { misfit } from "./table-shape.js";

/**
 * Merges by the declared key; no row is deleted. Writers wait meanwhile (SHARE ROW EXCLUSIVE), readers do not.
 *
 * With partitions, a row says which of them wrote it last, and one of an older partition never takes the place of one of a
 * newer: so the order of loads does not matter. Older and newer is as the partition column's type has it, a text by its bytes.
 *
 * The checksum, and with it the content, is that of the whole table once it is merged.
 */
export async function mergeRows(publishing: Publishing): Promise<Result<Placed>> {
  const { loading, fitted, columns, table, patience } = publishing;
  const { session, address, side, key } = loading;
  const immediate = checkImmediate(publishing);
  if (!immediate.ok) return immediate;
  const unique = await checkUnique(publishing);
  if (!unique.ok) return unique;
  if (table === undefined) {
    const made = await becomeTable(publishing, { marked: false });
    if (made.ok) await forgetOthers(session, address);
    return made.ok ? ok({ ...made.value, content: contentOfAll(made.value.checksum) }) : made;
  }
  const lossless = await anyLoss(loading, fitted);
  if (!lossless.ok) return lossless;
  const counted = await countSide(loading);
  if (!counted.ok) return counted;
  const merged = await withRelationLocks(session, address, patience, async () => {
    const locked = await lockAndGrow(publishing, { lock: "SHARE ROW EXCLUSIVE", marked: false });
    if (!locked.ok) return locked;
    const where = relation(address.schema, address.table);
    const [any] = await session.query(`SELECT FROM ${where} LIMIT 1`);
    if (any === undefined) await forgetOthers(session, address);
    const held = key === undefined ? 0 : await countHeld(publishing, key);
    const rows = await session.run(mergeSql(publishing));
    return countAgrees(loading, (rows.rowCount ?? 0) + held) ?? ok(undefined);
  });
  if (!merged.ok) return merged;
  const where = { schema: address.schema, name: address.table };
  await unmark(session, where, table);
  await session.query(`DROP TABLE ${relation(side.schema, side.name)}`);
  const sent = fitted.placed.map(({ name }) => name);
  const over = columns
    .filter(({ name }) => sent.includes(name) && name !== key)
    .map(({ name, type }) => ({ name, type }));
  const checksum = await checksumOf(session, where, over);
  return ok({ content: contentOfAll(checksum), checksum });
}

/** A key that is only looked at later tells no row from another now, and Postgres goes by none such. */
function checkImmediate({ loading: { address }, table, wanted: { primary } }: Publishing): Result<void> {
  const late = table?.keys.find(
    ({ definition, columns }) =>
      /^(PRIMARY KEY|UNIQUE)\b.*\) DEFERRABLE( INITIALLY DEFERRED)?$/.test(definition) &&
      columns.length === primary.length &&
      primary.every((name) => columns.includes(name)),
  );
  if (late === undefined) return ok(undefined);
  const { name, definition } = late;
  return misfit(
    address,
    [`\`${name}\` is \`${definition}\`; rows cannot be merged by a key that is DEFERRABLE`],
    `make it anew, as \`ALTER TABLE ${nameOf(address)} DROP CONSTRAINT ${quoted(name)}, ADD CONSTRAINT ${quoted(name)} ${definition.replace(/ DEFERRABLE.*$/, "")}\``,
  );
}

async function countSide(loading: Loading): Promise<Result<void>> {
  const { session, side } = loading;
  const [row] = await session.query<{ rows: string }>(
    `SELECT count(*) AS rows FROM ${relation(side.schema, side.name)}`,
  );
  return countAgrees(loading, Number(row?.rows)) ?? ok(undefined);
}

/** Of two rows with one key nobody can say which is meant; and a row without a key is never found again. */
async function checkUnique({ loading, wanted, fitted }: Publishing): Promise<Result<void>> {
  const { session, side, attempt, address, key } = loading;
  const sent = (name: string): boolean =>
    name === key || fitted.placed.some((column) => column.name === name);
  const missing = wanted.primary.filter((name) => !sent(name));
  if (missing.length > 0)
    return misfit(
      address,
      missing.map((name) => `rows are merged by \`${name}\`, which is not in the source`),
      "declare a `key` of columns that the source has",
    );
  const names = wanted.primary.map(quoted);
  const [twice] = await session.query<{ rows: string; value: string }>(
    `SELECT count(*) AS rows, concat_ws(', ', ${names.map((name) => `coalesce(${name}::text, 'null')`).join(", ")}) AS value
       FROM ${relation(side.schema, side.name)} GROUP BY ${names.join(", ")}
     HAVING count(*) > 1 OR ${names.map((name) => `${name} IS NULL`).join(" OR ")} LIMIT 1`,
  );
  if (twice === undefined) return ok(undefined);
  return fail({
    reason: "bad-value",
    file: attempt.step.inputs[0] ?? "",
    column: wanted.primary.join(", "),
    text: twice.value.slice(0, 200),
    type: "key",
    problem:
      twice.rows === "1" ? "a row is merged by its key, and has none" : `${twice.rows} rows have this key`,
  });
}

const byBytes = /^(text|character)/;

/** How partitions are compared: which is the newer one must not depend on somebody's collation. */
function ordered({ columns }: Publishing, key: string): (table: string) => string {
  const type = columns.find(({ name }) => name === key)?.type ?? "text";
  return (table) => `${table}.${quoted(key)}${byBytes.test(type) ? ' COLLATE "C"' : ""}`;
}

/** Rows of a newer partition, which stay as they are. */
async function countHeld(publishing: Publishing, key: string): Promise<number> {
  const { session, address, side } = publishing.loading;
  const at = ordered(publishing, key);
  const same = publishing.wanted.primary.map((name) => `t.${quoted(name)} = s.${quoted(name)}`);
  const [row] = await session.query<{ rows: string }>(
    `SELECT count(*) AS rows FROM ${relation(side.schema, side.name)} s JOIN ${relation(address.schema, address.table)} t
         ON ${same.join(" AND ")} WHERE ${at("t")} > ${at("s")}`,
  );
  return Number(row?.rows);
}

function mergeSql(publishing: Publishing): string {
  const { loading, wanted, fitted } = publishing;
  const { address, side, key } = loading;
  const { into, from } = insertion(publishing);
  const { primary } = wanted;
  const sent = fitted.placed.map(({ name }) => name).filter((name) => name !== key);
  const others = sent.filter((name) => !primary.includes(name));
  const changed = [...(key === undefined ? [] : [key]), ...others];
  // A key alone is set to itself, so that its row counts.
  const sets = (changed.length > 0 ? changed : primary.slice(0, 1)).map(
    (name) => `${quoted(name)} = excluded.${quoted(name)}`,
  );
  const at = key === undefined ? undefined : ordered(publishing, key);
  const newer =
    at === undefined || key === undefined
      ? ""
      : ` WHERE t.${quoted(key)} IS NULL OR ${at("t")} <= ${at("excluded")}`;
  return `
    INSERT INTO ${relation(address.schema, address.table)} AS t (${into}) SELECT ${from} FROM ${relation(side.schema, side.name)} AS s
        ON CONFLICT (${primary.map(quoted).join(", ")}) DO UPDATE SET ${sets.join(", ")}${newer}`;
}
