// Has Postgres make the rows of one table or partition by SQL, in the transaction that will publish them. Knows nothing of parsing or of publishing.
import { strict as assert } from "node:assert";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { digestOf } from "../core/fingerprint.js";
import type { SqlName, Statement } from "../core/rule.js";
import { isViewName } from "../core/target.js";
import type { QueryWriter } from "../engine/ports.js";
import { type Checksum, checksumOf } from "./table-checksum.js";
import { schemaForSide } from "./table-home.js";
import type { Loading } from "./table-loading.js";
import { lockTable, type Patience, usualPatience, withRelationLocks } from "./table-locks.js";
import { literal, quoted, relation, sideName } from "./table-name.js";
import { namesTable, sqlNameOf } from "./table-names.js";
import { findPartition, type Relation, readRelation } from "./table-relation.js";
import { misfit } from "./table-shape.js";
import type { Side } from "./table-side.js";
import { type Sent, sentOf, sqlFailure } from "./table-statement.js";
import { createView } from "./table-view.js";

/** What was made, and where its rows are. `aside` is to be put in place as any load is; the others are there already. */
export type MadeBySql =
  | { readonly kind: "aside" }
  | (Placed & { readonly kind: "in-place"; readonly checksum: Checksum })
  | { readonly kind: "view" };

interface Placed {
  readonly place: Side;
  readonly strategy: "replace" | "swap" | "delete";
}

//  begun ──query──► made ("aside", "view")        begun ──run──► made ("in-place")
/** The SQL of one load, run in its transaction. A server's error leaves that to be discarded. */
export class Querying implements QueryWriter {
  readonly loading: Loading;
  readonly patience: Patience;
  #made: MadeBySql | undefined;

  constructor(loading: Loading, patience: Patience = usualPatience) {
    this.loading = loading;
    this.patience = patience;
  }

  get made(): MadeBySql {
    assert(this.#made, `bug: nothing was made of ${this.loading.address.target}`);
    return this.#made;
  }

  get isView(): boolean {
    return isViewName(this.loading.address.target);
  }

  async query(statement: Statement, signal: AbortSignal): Promise<Result<number | undefined>> {
    const { session, address } = this.loading;
    return this.#working(signal, async () => {
      // What it reads it locks, and it is to publish into that: another publisher would wait for it, and it for them.
      if (namesTable(statement, address)) await lockTable(session, address);
      const sent = await this.#sent(statement, this.isView ? "quoted" : "bound");
      if (!sent.ok) return sent;
      if (!this.isView) return this.#fill(sent.value);
      const made = await createView(this.loading, sent.value, this.patience);
      if (!made.ok) return made;
      this.#made = { kind: "view" };
      return ok(undefined);
    });
  }

  async run(statements: Statement, signal: AbortSignal): Promise<Result<number>> {
    const { session, address } = this.loading;
    return this.#working(signal, async () => {
      // They publish as they run: one at a time, as all who publish into a table.
      await lockTable(session, address);
      const sent = await this.#sent(statements, "quoted");
      if (!sent.ok) return sent;
      // Values are quoted, so that all go as one text, which Postgres reads whole before it runs any of it.
      const done = await this.#said(sent.value, "", () =>
        withRelationLocks(session, address, this.patience, async () => {
          await session.run(sent.value.sql);
          return ok(undefined);
        }),
      );
      return done.ok ? this.#lookAt() : done;
    });
  }

  async #working<T>(signal: AbortSignal, work: () => Promise<Result<T>>): Promise<Result<T>> {
    const { session, address } = this.loading;
    assert(!this.#made, `bug: ${address.target} made twice`);
    session.signal = signal;
    return session.guard(`make ${address.target}`, () => session.cuttable(work));
  }

  #sent(statement: Statement, how: "bound" | "quoted"): Promise<Result<Sent>> {
    const { session, address } = this.loading;
    const asker = { session, own: address, isView: this.isView };
    return sentOf(statement, how, (name: SqlName) => sqlNameOf(name, asker));
  }

  /** What the server has against the statement, as a failure with its place. */
  async #said<T>(sent: Sent, prefix: string, work: () => Promise<Result<T>>): Promise<Result<T>> {
    try {
      return await work();
    } catch (error) {
      const failure = sqlFailure(error, sent, prefix);
      if (failure === undefined) throw error;
      return fail(failure);
    }
  }

  /** CREATE TABLE AS, and not INSERT: that one has no parallel plans. Locks what it reads, against DROP and ALTER alone. */
  async #fill(sent: Sent): Promise<Result<number>> {
    const { session, address, attempt } = this.loading;
    const side = { schema: await schemaForSide(session, address), name: sideName(attempt.id, address) };
    const prefix = `CREATE TABLE ${relation(side.schema, side.name)} AS\n`;
    const made = await this.#said(sent, prefix, async () =>
      ok(await session.run(prefix + sent.sql, sent.parameters)),
    );
    if (!made.ok) return made;
    const table = await readRelation(session, side.schema, side.name);
    const columns = (table?.columns ?? []).map(({ name, type }) => ({ name, type }));
    if (columns.length === 0) return fail(withoutColumns);
    const checksum = await checksumOf(session, side, columns);
    const { text, rows } = checksum;
    const filled = this.loading.filled(
      side,
      columns.map(({ name }) => name),
      { rows, digest: digestOf(text), checksum },
    );
    if (!filled.ok) return filled;
    const strays = await this.#strays(side);
    if (!strays.ok) return strays;
    this.#made = { kind: "aside" };
    return ok(made.value.rowCount ?? rows);
  }

  /** With a key of its own, every row has to be the partition's. */
  async #strays(side: Side): Promise<Result<void>> {
    const { session, address, ownKey } = this.loading;
    if (ownKey === undefined) return ok(undefined);
    const key = quoted(ownKey);
    const [stray] = await session.query<{ value: string | null }>(
      `SELECT ${key}::text AS value FROM ${relation(side.schema, side.name)}
        WHERE ${key}::text IS DISTINCT FROM ${literal(address.partition ?? "")} LIMIT 1`,
    );
    if (stray === undefined) return ok(undefined);
    return fail({
      reason: "bad-value",
      file: address.target,
      column: ownKey,
      text: stray.value ?? "",
      type: `the partition \`${address.partition}\``,
      problem: "each row of the query has to be of the partition",
    });
  }

  /** Statements leave a table where the target says: what is in it is taken as it is. */
  async #lookAt(): Promise<Result<number>> {
    const { session, address, key } = this.loading;
    const table = await readRelation(session, address.schema, address.table);
    if (table === undefined) return fail({ reason: "output-missing", output: address.target });
    const found = await this.#placeIn(table);
    if (!found.ok) return found;
    const { place, strategy } = found.value;
    const columns = table.columns.filter(({ name }) => name !== key);
    const where = key === undefined ? {} : { where: { column: key, value: address.partition ?? "" } };
    const checksum = await checksumOf(session, { ...place, ...where }, columns);
    const names = columns.map(({ name }) => name);
    const copied = { rows: checksum.rows, digest: digestOf(checksum.text) };
    const filled = this.loading.filled(place, names, copied);
    if (!filled.ok) return filled;
    this.#made = { kind: "in-place", place, strategy, checksum };
    return ok(checksum.rows);
  }

  async #placeIn(table: Relation): Promise<Result<Placed>> {
    const { session, address, key } = this.loading;
    const whole: Side = { schema: address.schema, name: address.table };
    if (key === undefined) {
      if (table.kind === "plain") return ok({ place: whole, strategy: "replace" });
      const what = table.kind === "partitioned" ? "partitioned" : table.otherwise;
      const help =
        table.kind === "partitioned" ? "name a partition, as `table:NAME/{month}`" : "make a table";
      return misfit(address, [`it is ${what}, and no ordinary table`], help);
    }
    if (table.kind === "other")
      return misfit(address, [`it is ${table.otherwise}, and no ordinary table`], "make a table");
    if (table.kind === "plain" && table.columns.some(({ name }) => name === key))
      return ok({ place: whole, strategy: "delete" });
    if (table.kind !== "partitioned" || table.key !== key)
      return misfit(
        address,
        [`it has no column \`${key}\` by which the partition's rows are known`],
        "name the column, as `partitionColumn`",
      );
    const place = await findPartition(session, address);
    if (place === undefined) return fail({ reason: "output-missing", output: address.target });
    if (!place.simple) return misfit(address, ["its partition holds other values too"], "split it first");
    return ok({ place: { schema: place.schema, name: place.name }, strategy: "swap" });
  }
}

const withoutColumns: Failure = {
  reason: "sql-error",
  code: "42601",
  message: "the query has no columns, and a table of it could hold nothing",
};
