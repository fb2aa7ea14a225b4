// A data file as a SELECT whose every value is checked: finds the format by name and first bytes. Knows nothing of where the rows go.
import { type Failure, fail, type Result } from "../core/failure.js";
import type { Reject } from "../core/failure-data.js";
import type { ColumnTypes, CsvOptions, Renames } from "../core/rule.js";
import { openCsv } from "./csv.js";
import type { TypedColumn, ValuePlace } from "./find-value.js";
import { openJson } from "./json.js";
import { openParquet } from "./parquet.js";
import { checkedHead, withoutZstd } from "./prepare.js";
import type { Session } from "./session.js";

export interface SourceColumn {
  readonly name: string;
  /** As DuckDB spells it: `BIGINT`, `DECIMAL(10,2)`, `TIMESTAMP WITH TIME ZONE`, `INTEGER[]`, `STRUCT(a INTEGER)`. */
  readonly type: string;
  /** No value of it in the sample, and no type declared: that it is VARCHAR says nothing. */
  readonly unseen?: true;
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
  /** The rows before their values are checked: for `sift`, which sets aside those that do not fit. */
  readonly raw: RawRows;
}

/** What `select` is made from. */
export interface RawRows {
  /** SQL text yielding the columns by their names, as the file has them: of a text file, as text. */
  readonly from: string;
  /** In the order of `Source.columns`. */
  readonly columns: readonly TypedColumn[];
  /** Rows that were set aside when the file was opened, since their fields are too many or too few; they are not in `from`. */
  readonly rejects: readonly Reject[];
  /** How many rows `from` has, counted by other means than DuckDB's; left out where nobody has. */
  readonly rows?: number | undefined;
  /** The physical lines on which rows of `from` (counting from 1, ascending) begin, where they are known. Left out: the format has none. */
  linesOf?(rows: readonly ValuePlace[]): Promise<readonly (number | undefined)[]>;
}

export interface SourceOptions {
  /** By the names after `rename`. */
  readonly columns: ColumnTypes;
  readonly rename?: Renames | undefined;
  readonly csv: CsvOptions;
  /** How many rows of a CSV may be set aside for their number of fields; none if left out. */
  readonly maxRejects?: number;
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
  if (format === "parquet") return openParquet(session, file, options);
  const unpacked = await withoutZstd(session, file, head.value, options.signal);
  if (!unpacked.ok) return unpacked;
  return format === "json"
    ? openJson(session, file, unpacked.value, options)
    : openCsv(session, file, unpacked.value, options);
}

function formatOf(file: string): Source["format"] | undefined {
  const name = file.toLowerCase().replace(/\.(gz|gzip|zst|zstd)$/, "");
  if (/\.(parquet|pq)$/.test(name)) return "parquet";
  if (/\.(csv|tsv|tab|psv|txt)$/.test(name)) return "csv";
  return /\.(json|ndjson|jsonl)$/.test(name) ? "json" : undefined;
}
