// Takes the rows of one load into a side table that only its own transaction sees. Knows nothing of publishing.
import { strict as assert } from "node:assert";
import { createHash, type Hash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { from as copyFrom } from "pg-copy-streams";
import { fail, ok, type Result } from "../core/failure.js";
import type { Reject } from "../core/failure-data.js";
import type { TableDeclaration } from "../core/rule.js";
import type { Spans } from "../core/spans.js";
import type { Digest } from "../core/trace.js";
import type { Attempt, TableColumn, TableWriter } from "../engine/ports.js";
import type { Checksum } from "./table-checksum.js";
import { fitTo } from "./table-evolve.js";
import { type Address, quoted, relation, sideName } from "./table-name.js";
import { declarationOf, strategyOf } from "./table-plan.js";
import { readRelation } from "./table-relation.js";
import { type Session, sqlState, within } from "./table-session.js";
import { createSide, keyFits, partitionCheck, type Side } from "./table-side.js";
import { typed } from "./table-types.js";

/** Enough of a row to recognise it by. */
const shownText = 200;

/** How long a rollback may take before the connection is cut instead, which has the same effect a little later. */
const rollbackMs = 2_000;

/** Rows that were set aside, and the file that they are of. */
interface Rejected {
  readonly file: string;
  readonly rows: readonly Reject[];
}

/** What is known of rows that the server has taken: how many, and a digest by which two loads can be told apart. */
export interface Copied {
  readonly rows: number;
  readonly digest: Digest;
  /** Of the rows as they lie in the side table, where it was made already. */
  readonly checksum?: Checksum;
}

//  begun ──open──► opened ──copy──► copied          (any) ──discard──► gone
//     └──────────────filled─────────────┘
/** One transaction with a side table in it. Ends with `discard`, or by the commit of whoever publishes it. */
export class Loading implements TableWriter {
  readonly session: Session;
  readonly address: Address;
  readonly attempt: Attempt;
  readonly spans: Spans | undefined;
  /** Name of the partition column, or nothing for a whole table. */
  readonly key: string | undefined;
  readonly declaration: TableDeclaration;
  #side: Side | undefined;
  #columns: readonly string[] = [];
  #unseen: ReadonlySet<string> = new Set();
  #left: readonly string[] = [];
  /** What the source calls `columns`. */
  #sources: readonly string[] = [];
  #widened: ReadonlySet<string> = new Set();
  #ownKey: string | undefined;
  #copied: Copied | undefined;
  #copying: AbortController | undefined;
  #rejected: Rejected | undefined;

  constructor(session: Session, address: Address, attempt: Attempt, spans?: Spans) {
    const { recipe } = attempt.step;
    assert(
      recipe.kind === "load" || recipe.kind === "sql",
      `bug: ${address.target} is made by ${recipe.kind}`,
    );
    assert(
      (recipe.partitionColumn === undefined) === (address.partition === undefined),
      `bug: ${address.target} and its partition column`,
    );
    this.session = session;
    this.address = address;
    this.attempt = attempt;
    this.spans = spans;
    this.key = recipe.partitionColumn;
    this.declaration = declarationOf(recipe);
  }

  get side(): Side {
    assert(this.#side, `bug: nothing was opened for ${this.address.target}`);
    return this.#side;
  }

  /** The names in the side table of the columns that are sent, in that order. */
  get columns(): readonly string[] {
    return this.#columns;
  }

  /** Those of `columns` that the source has no value of. */
  get unseen(): ReadonlySet<string> {
    return this.#unseen;
  }

  /** Those of `columns` to whose types the table has to grow. */
  get widened(): ReadonlySet<string> {
    return this.#widened;
  }

  /** Columns of the source that the table is not to have. */
  get left(): readonly string[] {
    return this.#left;
  }

  /** The partition column, if it is among `columns`. */
  get ownKey(): string | undefined {
    return this.#ownKey;
  }

  get rejected(): Rejected | undefined {
    return this.#rejected;
  }

  /** Rows that the server said it took, and the SHA-256 of their bytes: of the same rows in the same order, the same. */
  get copied(): Copied {
    assert(this.#copied, `bug: nothing was copied into ${this.address.target}`);
    return this.#copied;
  }

  /** Of the rows as they lie in the side table. */
  summed(checksum: Checksum): void {
    this.#copied = { ...this.copied, checksum };
  }

  /** Creates the side table. Locks nothing else: a lock on the parent here would deadlock two loads at their publishing. */
  async open(columns: readonly TableColumn[]): Promise<Result<readonly TableColumn[]>> {
    assert(!this.#side, `bug: ${this.address.target} opened twice`);
    const { address, key, session, declaration } = this;
    const own = this.#ownKeyAmong(columns.map(({ name }) => name));
    if (!own.ok) return own;
    const ownKey = own.value;
    return session.guard(`make room for the rows of ${address.target}`, async () => {
      const table = await readRelation(session, address.schema, address.table);
      const strategy = strategyOf(address, table, key, declaration);
      if (!strategy.ok) return strategy;
      const options = { contract: declaration.contract, key, ownKey };
      const fitted = await fitTo(session, address, table, columns, options);
      if (!fitted.ok) return fitted;
      const { placed, left } = fitted.value;
      const keyType = (key !== undefined && typeOf(key, table?.columns ?? placed)) || "text";
      if (key !== undefined) {
        const fits = await keyFits(session, address, { key, type: keyType, strategy: strategy.value });
        if (!fits.ok) return fits;
      }
      const name = sideName(this.attempt.id, address);
      const known = table?.columns.find((column) => column.name === key);
      const room = { placed, table, strategy: strategy.value, key, keyType: known ? typed(known) : keyType };
      this.#side = await createSide(session, address, name, room);
      this.#columns = placed.map((column) => column.name);
      this.#sources = placed.map((column) => column.source);
      this.#unseen = new Set(placed.filter(({ unseen }) => unseen).map((column) => column.name));
      this.#left = left;
      this.#ownKey = ownKey;
      const required = new Set(table?.columns.flatMap(({ name, notNull }) => (notNull ? [name] : [])));
      return ok(
        placed.map(({ source, name, type }) => ({
          name: source,
          type,
          ...(required.has(name) && { required: true }),
        })),
      );
    });
  }

  async widen(columns: readonly TableColumn[]): Promise<Result<void>> {
    const { session, address, side } = this;
    assert(!this.#copying, `bug: ${address.target} widened after its rows`);
    const wide = columns.map(({ name, type }) => ({
      name: this.#columns[this.#sources.indexOf(name)]!,
      type,
    }));
    const clauses = wide.map(({ name, type }) => `ALTER COLUMN ${quoted(name)} TYPE ${type}`);
    return session.guard(`make room for the rows of ${address.target}`, async () => {
      await session.query(`ALTER TABLE ${relation(side.schema, side.name)} ${clauses.join(", ")}`);
      this.#widened = new Set(wide.map(({ name }) => name));
      return ok(undefined);
    });
  }

  /**
   * Takes a table that was made and filled in this transaction as if its rows had been copied: by a query, whose columns
   * are all `columns` of the table, in that order.
   */
  filled(side: Side, columns: readonly string[], copied: Copied): Result<void> {
    assert(!this.#side, `bug: ${this.address.target} filled twice`);
    const own = this.#ownKeyAmong(columns);
    if (!own.ok) return own;
    this.#side = side;
    this.#columns = columns;
    this.#ownKey = own.value;
    this.#copied = copied;
    return ok(undefined);
  }

  /** A column of the data that is called as the partition column is it, if the Datafile says so; otherwise it is in the way. */
  #ownKeyAmong(names: readonly string[]): Result<string | undefined> {
    const { key, declaration, address } = this;
    if (key === undefined || !names.includes(key)) return ok(undefined);
    if (declaration.ownKey) return ok(key);
    return fail({
      reason: "partition-column-taken",
      table: address.table,
      column: key,
      file: this.#file,
    });
  }

  get #file(): string {
    return this.attempt.step.inputs[0] ?? "";
  }

  /** Keeps them in memory, as many as may be, until they are written with the record of the load. */
  async reject(file: string, rows: readonly Reject[]): Promise<Result<void>> {
    assert(!this.#rejected, `bug: rows of ${this.address.target} set aside twice`);
    const { maxRejects } = this.declaration;
    const [first] = rows;
    if (first !== undefined && rows.length > maxRejects)
      return fail({ reason: "too-many-rejects", file, maxRejects, rows: rows.length, first });
    this.#rejected = { file, rows };
    return ok(undefined);
  }

  /** Throws what `bytes` throws, after the server has forgotten the rows. */
  async copy(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Result<number>> {
    const { session, side } = this;
    assert(!this.#copying, `bug: ${this.address.target} copied twice`);
    this.#copying = new AbortController();
    const columns = this.#columns.map(quoted).join(", ");
    const sql = `COPY ${relation(side.schema, side.name)} (${columns}) FROM STDIN WITH (FORMAT binary)`;
    const hash = createHash("sha256");
    const broken: { error?: unknown } = {};
    const stop = AbortSignal.any([signal, this.#copying.signal]);
    const copied = await session.guard(`copy the rows of ${this.address.target}`, async () => {
      const copying = session.client.query(copyFrom(sql));
      const ended = pipeline(watched(bytes, hash, broken), copying, { signal: stop });
      // The server is told, and has to answer. One that cannot be reached any more would be waited for as long as TCP waits.
      let answered = false;
      const insist = () => void within(rollbackMs, ended).then(() => (answered ? undefined : session.end()));
      stop.addEventListener("abort", insist);
      try {
        await ended;
      } catch (error) {
        if (stop.aborted) return fail({ reason: "interrupted" });
        if (!("error" in broken)) return this.#copyRefused(error);
      } finally {
        answered = true;
        stop.removeEventListener("abort", insist);
      }
      this.#copied = { rows: copying.rowCount, digest: `sha256:${hash.digest("hex")}` };
      return ok(copying.rowCount);
    });
    if ("error" in broken) throw broken.error;
    return copied;
  }

  /** A row of another partition: the recipe sees it first where it can, and says the line. */
  #copyRefused(error: unknown): Result<never> {
    const { constraint, detail = "" } = error as { constraint?: string; detail?: string };
    if (sqlState(error) !== "23514" || constraint !== partitionCheck) throw error;
    return fail({
      reason: "bad-value",
      file: this.#file,
      column: this.key ?? "",
      text: detail.slice(0, shownText),
      type: `the partition \`${this.address.partition}\``,
      problem: "each row has to be of the partition that the file is of",
    });
  }

  /** Rolls back and lets the connection go, whatever state either is in. Never throws. */
  async discard(): Promise<void> {
    this.#copying?.abort();
    if (this.session.alive) await within(rollbackMs, this.session.query("ROLLBACK"));
    await this.session.end();
  }
}

const typeOf = (
  name: string,
  columns: readonly { readonly name: string; readonly type: string }[],
): string | undefined => columns.find((column) => column.name === name)?.type;

/** Hashes on the way, and notes whether it was the rows' own side that broke. */
async function* watched(
  bytes: AsyncIterable<Uint8Array>,
  hash: Hash,
  broken: { error?: unknown },
): AsyncGenerator<Uint8Array> {
  try {
    for await (const part of bytes) {
      hash.update(part);
      yield part;
    }
  } catch (error) {
    broken.error = error;
    throw error;
  }
}
