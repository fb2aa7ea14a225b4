// The connection on which tables and ledger are looked at, and the schema of names that say none. Knows nothing of what is looked for.
import { ok, type Result } from "../core/failure.js";
import type { Database } from "../postgres/connect.js";
import { readDefaultSchema } from "./table-catalog.js";
import { type Address, addressOf } from "./table-name.js";
import { Session } from "./table-session.js";

/** Opened when first needed; lives until `close`. */
export class Reader {
  readonly #database: () => Promise<Result<Database>>;
  #session: Promise<Result<Session>> | undefined;
  #schema: string | undefined;

  constructor(database: () => Promise<Result<Database>>) {
    this.#database = database;
  }

  async read<T>(
    doing: string,
    names: readonly string[],
    work: (session: Session, addresses: readonly Address[]) => Promise<Result<readonly T[]>>,
  ): Promise<Result<readonly T[]>> {
    if (names.length === 0) return ok([]);
    const reader = await this.#open();
    if (!reader.ok) return reader;
    return reader.value.guard(doing, async () => {
      const addresses = await this.addresses(reader.value, names);
      return addresses.ok ? work(reader.value, addresses.value) : addresses;
    });
  }

  async addresses(session: Session, names: readonly string[]): Promise<Result<readonly Address[]>> {
    const schema = await this.defaultSchema(session);
    if (!schema.ok) return schema;
    const addresses: Address[] = [];
    for (const name of names) {
      const address = addressOf(name, schema.value);
      if (!address.ok) return address;
      addresses.push(address.value);
    }
    return ok(addresses);
  }

  /** One for the life of the store; another if the server has ended it meanwhile. */
  async #open(): Promise<Result<Session>> {
    this.#session ??= Session.open(this.#database);
    const opening = this.#session;
    const reader = await opening;
    if (reader.ok && reader.value.alive) return reader;
    if (this.#session === opening) this.#session = undefined;
    return reader.ok ? this.#open() : reader;
  }

  /** Asked once. */
  async defaultSchema(session: Session): Promise<Result<string>> {
    if (this.#schema !== undefined) return ok(this.#schema);
    const schema = await readDefaultSchema(session);
    if (schema.ok) this.#schema = schema.value;
    return schema;
  }

  async close(): Promise<void> {
    const reader = await this.#session;
    this.#session = undefined;
    if (reader?.ok) await reader.value.end();
  }
}
