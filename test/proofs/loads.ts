// Generations of rows that can be told from one another, whatever way they are published, and what has to be true of them. Knows nothing of processes or servers.
import type { Strategy } from "../../src/core/rule.js";
import type { Rows } from "../stores/table-loads.js";

export interface Way {
  readonly strategy: Strategy;
  readonly target: string;
}

/** Every way in which rows are published. */
export const ways: readonly Way[] = [
  { strategy: "swap", target: "table:trips/2023-01" },
  { strategy: "replace", target: "table:zones" },
  { strategy: "delete", target: "table:rides/2023-01" },
  { strategy: "merge", target: "table:stations" },
];

export const tableOf = (target: string): string => /table:([^/]+)/.exec(target)![1]!;

const columns = [
  { name: "id", type: "integer" },
  { name: "generation", type: "integer" },
];

/** As many rows as no generation before or after has; what is merged always has the same keys. */
const sizeOf = ({ strategy }: Way, generation: number, rows: number): number =>
  strategy === "merge" ? rows : rows + (generation % 7);

/** The rows of one generation, under an attempt that says which. */
export function generationOf(way: Way, generation: number, { rows = 50, by = "" } = {}): Rows {
  return {
    target: way.target,
    columns,
    rows: Array.from({ length: sizeOf(way, generation, rows) }, (_, id) => [id, generation]),
    digest: `sha256:generation-${generation}`,
    attempt: `generation-${generation}${by}`,
    table: { strategy: way.strategy, ...(way.strategy === "merge" && { key: ["id"] }) },
  };
}

/** A table and its record, as one statement sees both: that is one moment. */
export interface Sight {
  readonly rows: number;
  readonly ids: number;
  readonly first: number | null;
  readonly last: number | null;
  /** Of the ledger: nothing if it has no record. */
  readonly recorded: {
    readonly attempt: string;
    readonly rows: number;
    readonly checksum?: string | null;
    readonly checksum_columns?: readonly { readonly name: string }[] | null;
  } | null;
  /** Of the history: the last attempt that came through. */
  readonly through: string | null;
  /** What the ledger's checksum has to be, of the columns that were asked for. */
  readonly checksum: string | null;
  readonly neighbours: number;
}

/** One statement, so that all of it is of one moment. With `checked`, the columns of the checksum, that is made anew too. */
export function sightSql({ target }: Way, checked: readonly string[] = []): string {
  const table = tableOf(target);
  const partition = target.split("/")[1];
  const own = partition === undefined ? "true" : `month = '${partition}'`;
  const record = `ROW(${checked.map((name) => (name === "month" ? `month COLLATE "C"` : name)).join(", ")})`;
  const sum = `coalesce(sum(hashint8extended(1, hash_record_extended(${record}, 7640891576956012809))), 0)`;
  const checksum = checked.length === 0 ? "NULL" : `concat_ws(':', 'record64', count(*), ${sum})`;
  return `
    SELECT t.*, l.recorded, h.through, n.neighbours
      FROM (SELECT count(*)::int AS rows, count(DISTINCT id)::int AS ids, min(generation) AS first, max(generation) AS last,
                   ${checksum} AS checksum
              FROM ${table} WHERE ${own}) t,
           (SELECT count(*)::int AS neighbours FROM ${table} WHERE NOT (${own})) n,
           (SELECT (SELECT to_jsonb(l) FROM dmake.loads l WHERE l.target = '${target}') AS recorded) l,
           (SELECT (SELECT attempt FROM dmake.history WHERE target = '${target}' ORDER BY id DESC LIMIT 1) AS through) h`;
}

/** Throws unless these are the rows of one generation, all of them once, and its record; or nothing of either. */
export function generationIn(way: Way, sight: Sight, { rows = 50, neighbours = 0 } = {}): number | undefined {
  const said = JSON.stringify(sight);
  const insist = (is: boolean, what: string): void => {
    if (!is) throw new Error(`${way.strategy}: ${what}: ${said}`);
  };
  insist(sight.neighbours === neighbours, "rows of the neighbour are missing");
  if (sight.recorded === null) {
    insist(sight.rows === 0, "there are rows without a record");
    return undefined;
  }
  const [, generation] = /^generation-(\d+)/.exec(sight.recorded.attempt) ?? [];
  insist(sight.rows > 0, "there is a record without rows");
  insist(
    sight.first === Number(generation) && sight.last === Number(generation),
    "rows of another generation",
  );
  insist(sight.rows === sizeOf(way, Number(generation), rows), "rows are missing, or there twice");
  insist(sight.ids === sight.rows, "rows are there twice");
  insist(sight.recorded.rows === sight.rows, "the record has another count");
  insist(sight.through === sight.recorded.attempt, "the history ends with another load than the record");
  if (sight.checksum !== null)
    insist(sight.checksum === sight.recorded.checksum, "the record has another checksum");
  return Number(generation);
}
