// A temporary folder of data files and a DuckDB to read them with. Knows nothing of what is in them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Failure, Result } from "../../src/core/failure.js";
import type { ColumnTypes, CsvOptions, Renames } from "../../src/core/rule.js";
import { openSession, type Session } from "../../src/duckdb/session.js";
import { openSource, type Source } from "../../src/duckdb/source.js";

export type Options = CsvOptions & { readonly columns?: ColumnTypes; readonly rename?: Renames };

export interface DataFiles {
  readonly folder: string;
  readonly session: Session;
  write(name: string, content: string | Uint8Array): string;
  open(name: string, content: string | Uint8Array, options?: Options): Promise<Result<Source>>;
  /** Types by column, and all rows as text; null stays null. */
  read(name: string, content: string | Uint8Array, options?: Options): Promise<Table>;
  /** What opening the file, or else reading all of it, fails with; `file` left out. */
  refuse(
    name: string,
    content: string | Uint8Array,
    options?: Options,
  ): Promise<Partial<Record<string, unknown>>>;
  close(): void;
}

export interface Table {
  readonly types: Readonly<Record<string, string>>;
  readonly rows: readonly (readonly (string | null)[])[];
}

export async function dataFiles(): Promise<DataFiles> {
  const folder = mkdtempSync(join(tmpdir(), "dmake-data-"));
  const session = await openSession({ root: folder, threads: 2 });
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const open: DataFiles["open"] = (name, content, { columns = {}, rename, ...csv } = {}) =>
    openSource(session, write(name, content), { columns, rename, csv });
  const read: DataFiles["read"] = async (...file) => {
    const source = await open(...file);
    assert.ok(source.ok, JSON.stringify(source));
    return rowsOf(session, source.value);
  };
  const refuse: DataFiles["refuse"] = async (...file) => {
    const source = await open(...file);
    const failure = source.ok ? await failureOf(session, source.value) : source.error;
    const { file: _, ...rest } = failure as Failure & { file?: string };
    return rest;
  };
  const close = () => {
    session.close();
    rmSync(folder, { recursive: true });
  };
  return { folder, session, write, open, read, refuse, close };
}

export async function rowsOf(session: Session, { select, columns }: Source): Promise<Table> {
  const reader = await session.connection.runAndReadAll(
    `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM (${select})`,
  );
  const types = Object.fromEntries(columns.map(({ name, type }) => [name, type]));
  return { types, rows: reader.getRows() as (string | null)[][] };
}

async function failureOf(session: Session, source: Source): Promise<Failure> {
  const reading = session.connection.runAndReadAll(`SELECT count(COLUMNS(*)) FROM (${source.select})`);
  const error = await reading.then(
    ({ getRows }) => assert.fail(`was read: ${JSON.stringify(source.columns)}, ${getRows.length}`),
    (reason: unknown) => reason,
  );
  return source.explain(error);
}
