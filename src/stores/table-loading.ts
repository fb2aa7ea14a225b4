// Takes the rows of one load into a side table that only its own transaction sees. Knows nothing of publishing.
import { strict as assert } from "node:assert";
import { createHash, type Hash } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { from as copyFrom } from "pg-copy-streams";
import { fail, ok, type Result } from "../core/failure.js";
import type { Digest } from "../core/trace.js";
import type { Attempt, TableColumn, TableWriter } from "../engine/ports.js";
import { readTable } from "./table-catalog.js";
import { type Address, ledgerSchema, literal, quoted, relation, sideName } from "./table-name.js";
import { type Session, within } from "./table-session.js";
import { checkKind, type Fit, fit } from "./table-shape.js";

/** How long a rollback may take before the connection is cut instead, which has the same effect a little later. */
const rollbackMs = 2_000;

/** Where the rows are until they are published. */
export interface Side {
  readonly schema: string;
  readonly name: string;
}

/** Where the rows are then. */
export interface Placement extends Side {
  /** What the columns that were sent are called there, in the order in which they were sent. */
  readonly sent: readonly string[];
}

//  begun ──open──► opened ──copy──► copied          (any) ──discard──► gone
/** One transaction with a side table in it. Ends with `discard`, or by the commit of whoever publishes it. */
export class Loading implements TableWriter {
  readonly session: Session;
  readonly address: Address;
  readonly attempt: Attempt;
  /** Name of the partition column, or nothing for a whole table. */
  readonly key: string | undefined;
  #side: Side | undefined;
  #columns: readonly string[] = [];
  #copied: { readonly rows: number; readonly digest: Digest } | undefined;
  #copying: AbortController | undefined;

  constructor(session: Session, address: Address, attempt: Attempt) {
    const { recipe } = attempt.step;
    assert(recipe.kind === "load", `bug: ${address.target} is made by ${recipe.kind}`);
    assert(
      (recipe.partitionColumn === undefined) === (address.partition === undefined),
      `bug: ${address.target} and its partition column`,
    );
    this.session = session;
    this.address = address;
    this.attempt = attempt;
    this.key = recipe.partitionColumn;
  }

  get side(): Side {
    assert(this.#side, `bug: nothing was opened for ${this.address.target}`);
    return this.#side;
  }

  /** The names of the columns that are sent, in that order. */
  get columns(): readonly string[] {
    return this.#columns;
  }

  /** Rows that the server said it took, and the SHA-256 of their bytes: of the same rows in the same order, the same. */
  get copied(): { readonly rows: number; readonly digest: Digest } {
    assert(this.#copied, `bug: nothing was copied into ${this.address.target}`);
    return this.#copied;
  }

  /** Creates the side table. Locks nothing else: a lock on the parent here would deadlock two loads at their publishing. */
  async open(columns: readonly TableColumn[]): Promise<Result<readonly TableColumn[]>> {
    assert(!this.#side, `bug: ${this.address.target} opened twice`);
    const { address, key } = this;
    if (key !== undefined && columns.some(({ name }) => name === key)) {
      const file = this.attempt.step.inputs[0] ?? "";
      return fail({ reason: "partition-column-taken", table: address.table, column: key, file });
    }
    return this.session.guard(`make room for the rows of ${address.target}`, async () => {
      const table = await readTable(this.session, address.schema, address.table);
      const kind = checkKind(address, table, key);
      if (!kind.ok) return kind;
      const fitted = fit(address, table, columns);
      if (!fitted.ok) return fitted;
      const required = new Set(table?.columns.flatMap(({ name, notNull }) => (notNull ? [name] : [])));
      const keyType = table?.columns.find(({ name }) => name === key)?.type ?? "text";
      await this.#createSide(fitted.value, required, keyType);
      return ok(fitted.value.placed.map(({ source, type }) => ({ name: source, type })));
    });
  }

  /** In the table's own schema, for its default privileges; if that is still to be made, in the ledger's meanwhile. */
  async #createSide({ placed }: Fit, required: ReadonlySet<string>, keyType: string): Promise<void> {
    const { address, key, session } = this;
    const [home] = await session.query("SELECT FROM pg_namespace WHERE nspname = $1", [address.schema]);
    const side = { schema: home ? address.schema : ledgerSchema, name: sideName(this.attempt.id, address) };
    const value = literal(address.partition ?? "");
    // The CHECK says what the partition's bound says, so that ATTACH believes it: 0.3 ms; without it, a scan (122 ms for 2M rows).
    const keyed =
      key === undefined
        ? []
        : [
            `${quoted(key)} ${keyType} NOT NULL DEFAULT ${value}`,
            `CONSTRAINT dmake_partition CHECK (${quoted(key)} = ${value})`,
          ];
    const data = placed.map(
      ({ name, type }) => `${quoted(name)} ${type}${required.has(name) ? " NOT NULL" : ""}`,
    );
    await session.query(
      `CREATE TABLE ${relation(side.schema, side.name)} (${[...keyed, ...data].join(", ")})`,
    );
    this.#columns = placed.map(({ name }) => name);
    this.#side = side;
  }

  /** Throws what `bytes` throws, after the server has forgotten the rows. */
  async copy(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<Result<number>> {
    const { schema, name } = this.side;
    assert(!this.#copying, `bug: ${this.address.target} copied twice`);
    this.#copying = new AbortController();
    const columns = this.#columns.map(quoted).join(", ");
    const sql = `COPY ${relation(schema, name)} (${columns}) FROM STDIN WITH (FORMAT binary)`;
    const hash = createHash("sha256");
    const broken: { error?: unknown } = {};
    const { session } = this;
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
        if (!("error" in broken)) throw error;
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

  /** Rolls back and lets the connection go, whatever state either is in. Never throws. */
  async discard(): Promise<void> {
    this.#copying?.abort();
    if (this.session.alive) await within(rollbackMs, this.session.query("ROLLBACK"));
    await this.session.end();
  }
}

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
