// What a load leaves in a table, as one digest: columns, types and rows, however they were made. Knows nothing of SQL, locks or the ledger.
import { digestOf } from "../core/fingerprint.js";
import type { Digest } from "../core/trace.js";
import type { Checksum } from "./table-checksum.js";
import type { Loading } from "./table-loading.js";
import type { Column } from "./table-relation.js";

/**
 * The digest of a load: of the table's columns with their types, the partition, and the rows as they were sent. Equal for the
 * same rows by another recipe or from a file compressed otherwise, so that what depends on the table need not run.
 *
 * Of the same rows in another order it is another one, which costs work and nothing else: 0.18 s of processor time for
 * 1.3M rows, where an order-free one, which hashes each row by itself, takes 2.7 s (measured). If the server fills in
 * something that was not sent and may differ from load to load (a serial number, `now()`, a trigger of somebody's), no two
 * loads have the same.
 */
export function contentOf(
  { address, attempt, key, copied }: Loading,
  columns: readonly Column[],
  sent: readonly string[],
  { triggers }: { readonly triggers: boolean },
): Digest {
  const others = columns.filter(({ name }) => name !== key && !sent.includes(name));
  const unknown = triggers || others.some(isUnforeseeable);
  return digestOf(
    JSON.stringify({
      partition: key === undefined ? [] : [key, address.partition],
      // In the order in which they were sent, for the bytes have no names.
      sent: sent.map((name) => [name, columns.find((column) => column.name === name)?.type]),
      others: others.map(({ name, type, default: filled }) => [name, type, filled]),
      rows: copied.digest,
      ...(unknown && { attempt: attempt.id }),
    }),
  );
}

/** The digest of a merge: of all that is in the table then, in any order. What was there before is part of what it says. */
export const contentOfAll = ({ text, columns }: Checksum): Digest =>
  digestOf(JSON.stringify({ merged: text, columns: columns.map(({ name, type }) => [name, type]) }));

/** Null, a constant, or computed from the row itself (a generated column; an identity has no expression) is foreseeable. */
function isUnforeseeable({ computed, default: filled }: Column): boolean {
  if (computed) return filled === undefined;
  return filled !== undefined && !constant.test(filled);
}

/** As Postgres prints them: `'new'::text`, `0`, `'-1'::integer`, `0.5`, `true`. No call of a function, no operator. */
const constant = /^(?:'(?:[^']|'')*'|\d+(?:\.\d+)?|true|false|NULL)(?:::[\w ]+(?:\([\d, ]+\))?(?:\[\])?)?$/;
