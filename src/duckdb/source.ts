// A data file as a SELECT whose every value is checked: finds the format by name and first bytes. Knows nothing of where the rows go.
import { type Failure, fail, type Result } from "../core/failure.js";
import type { ColumnTypes, CsvOptions } from "../core/rule.js";
import { openCsv } from "./csv.js";
import { openJson } from "./json.js";
import { openParquet } from "./parquet.js";
import { checkedHead } from "./prepare.js";
import type { Session } from "./session.js";

export interface SourceColumn {
  readonly name: string;
  /** As DuckDB spells it: `BIGINT`, `DECIMAL(10,2)`, `TIMESTAMP WITH TIME ZONE`, `INTEGER[]`, `STRUCT(a INTEGER)`. */
  readonly type: string;
}

/** Good as long as the session is open. */
export interface Source {
  readonly file: string;
  readonly format: "parquet" | "csv" | "json";
  readonly columns: readonly SourceColumn[];
  /** SQL text yielding exactly these columns in order; running it errors rather than rounding, nulling or shifting a value. */
  readonly select: string;
  /** Where known without reading all (parquet's footer). */
  readonly rows: number | undefined;
  /** What an error raised while running `select` means: file, line, column and text where they can be found. Reads the file again. */
  explain(error: unknown): Promise<Failure>;
}

export interface SourceOptions {
  readonly columns: ColumnTypes;
  readonly csv: CsvOptions;
  /** Ends the unpacking of a packed file. */
  readonly signal?: AbortSignal;
}

/**
 * Opens `file`, a path from the current directory. Its format is told by its name (`.csv`, `.tsv`, `.txt`, `.json`,
 * `.ndjson`, `.jsonl`, each also with `.gz` or `.zst`, and `.parquet`) and must agree with its first bytes.
 */
export async function openSource(
  session: Session,
  file: string,
  options: SourceOptions,
): Promise<Result<Source>> {
  const format = formatOf(file);
  if (format === undefined)
    return fail({
      reason: "not-that-format",
      file,
      expected: "a name that ends in .csv, .json or .parquet",
      found: "another",
    });
  const head = await checkedHead(file);
  if (!head.ok) return head;
  if (head.value.length === 0) return fail({ reason: "empty-file", file, expected: format });
  if (format === "parquet") return openParquet(session, file, options.columns);
  if (format === "json") return openJson(session, file, head.value, options);
  return openCsv(session, file, head.value, options);
}

function formatOf(file: string): Source["format"] | undefined {
  const name = file.toLowerCase().replace(/\.(gz|gzip|zst|zstd)$/, "");
  if (/\.(parquet|pq)$/.test(name)) return "parquet";
  if (/\.(csv|tsv|tab|psv|txt)$/.test(name)) return "csv";
  return /\.(json|ndjson|jsonl)$/.test(name) ? "json" : undefined;
}
