// Notes how the values of each column of a CSV are spelled as its bytes go by, so that plain spellings need no second look. Knows nothing of files, or of what values mean.
import {
  byteClasses,
  crBit,
  ending,
  GIVEN_UP,
  placeBits,
  rowEnding,
  type Spelling,
  START,
  spellings,
  transitions,
} from "./csv-spelling-table.js";
import type { Reading } from "./text-checks.js";

/** What has to be known of a CSV to tell its fields apart. */
export interface FieldShape {
  /** One byte, as is the quote; that is empty where no character quotes. */
  readonly delimiter: string;
  readonly quote: string;
  readonly hasHeader: boolean;
  readonly columns: number;
}

const lf = 10;

/**
 * Sees a CSV without blank lines whose rows all have as many fields as columns, quoted as RFC 4180 has it or not at all.
 * At anything else it gives up, and then says of no column that it is plain: whoever reads the file on will say what it is.
 *
 * A loop over bytes with a table of states, as `RowScanner`: 130 MB of 18 columns take 0.7 s of processor time; the casts
 * and comparisons in SQL that this saves took 2 s there, as did to have every value as a text of its own.
 */
export class Spellings {
  readonly #classes: Uint8Array;
  /** For each column, and each spelling there is, whether it was met. */
  readonly #met: Uint8Array;
  #state = START;
  /** Where in `#met` the column begins whose field comes next. */
  #column = 0;
  #afterCr = false;
  #header: boolean;
  #givenUp = false;

  constructor({ delimiter, quote, hasHeader, columns }: FieldShape) {
    this.#classes = byteClasses(delimiter, quote);
    this.#met = new Uint8Array(columns * spellings.length);
    this.#header = hasHeader;
  }

  note(chunk: Uint8Array): void {
    if (!this.#givenUp) this.#givenUp = !this.#read(chunk);
  }

  /** Whether it is a plain CSV so far. */
  #read(chunk: Uint8Array): boolean {
    if (this.#afterCr && chunk.length > 0 && chunk[0] !== lf) return false;
    // Taken from the module each time they cost a third as much again.
    const [table, fieldEnds, rowEnds, bits] = [transitions, ending, rowEnding, placeBits];
    const classes = this.#classes;
    const met = this.#met;
    const width = spellings.length;
    const last = met.length - width;
    let state = this.#state;
    let column = this.#column;
    for (let at = this.#pastLf(chunk); at < chunk.length; at++) {
      const next = table[state + classes[chunk[at]!]!]!;
      if (next < fieldEnds) {
        state = next;
        continue;
      }
      // Behind the last column nothing is written, and the row will be found too long at its end.
      met[column + (next & bits)] = 1;
      state = START;
      if (next < rowEnds) {
        column += width;
        continue;
      }
      if (next === GIVEN_UP || column !== last || (last === 0 && (next & bits) === 0)) return false;
      column = 0;
      if (this.#header) this.#endHeader();
      if ((next & crBit) === 0) continue;
      this.#afterCr = at + 1 === chunk.length;
      if (!this.#afterCr && chunk[++at] !== lf) return false;
    }
    this.#state = state;
    this.#column = column;
    return true;
  }

  /** What was noted last was the end of the file, which may lack a line end. */
  end(): void {
    if (this.#state !== START || this.#column !== 0) this.note(Uint8Array.of(lf));
  }

  /** Whether every value of the column is one that DuckDB's reader of CSV makes the same of as the checks in `valueSql`. */
  isPlain(column: number, { type, format, digits }: Reading): boolean {
    if (this.#isOpen || format !== undefined || digits !== undefined) return false;
    const from = column * spellings.length;
    return spellings.every((spelling, at) => this.#met[from + at] === 0 || fits(spelling, type));
  }

  /** Of something nobody knows how it is spelled: behind a quote that is not closed, or a CR at the end. */
  get #isOpen(): boolean {
    return this.#givenUp || this.#afterCr || this.#header || this.#state !== START || this.#column !== 0;
  }

  /** Behind an LF whose CR was the last byte before. */
  #pastLf(chunk: Uint8Array): number {
    if (!this.#afterCr || chunk.length === 0) return 0;
    this.#afterCr = false;
    return 1;
  }

  #endHeader(): void {
    this.#header = false;
    this.#met.fill(0);
  }
}

const integerDigits: Readonly<Record<string, number>> = {
  TINYINT: 2,
  SMALLINT: 4,
  INTEGER: 9,
  BIGINT: 18,
  HUGEINT: 18,
};

/** So many digits are all kept by a DOUBLE. */
const doubleDigits = 15;

/** Whether a value so spelled is one of the type, but for dates as the 31st of April. */
function fits(spelling: Spelling, type: string): boolean {
  if (spelling.kind === "empty") return true;
  if (spelling.kind === "small") return type === "DOUBLE";
  if (spelling.kind !== "number") return (typesOf[spelling.kind] ?? []).includes(type);
  const { whole, fraction } = spelling;
  if (type === "DOUBLE") return whole <= doubleDigits;
  const [, precision, scale] = /^DECIMAL\((\d+),\s*(\d+)\)$/.exec(type) ?? [];
  if (precision !== undefined) return whole <= Number(precision) - Number(scale) && fraction <= Number(scale);
  return fraction === 0 && whole <= (integerDigits[type] ?? 0);
}

const typesOf: Readonly<Record<string, readonly string[]>> = {
  truth: ["BOOLEAN"],
  day: ["DATE", "TIMESTAMP"],
  instant: ["TIMESTAMP"],
};
