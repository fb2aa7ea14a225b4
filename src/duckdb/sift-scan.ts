// Goes over the bytes of a CSV and tells where each row begins, on which line, and how many fields it has. Knows nothing of values, types or DuckDB.

/** What has to be known of a CSV to tell its rows apart: delimiter and quote of one byte each. */
export interface RowShape {
  readonly delimiter: string;
  /** Empty where no character quotes. */
  readonly quote: string;
  /** Physical lines before the header, or before the first row, that are no rows. */
  readonly skippedLines: number;
  readonly hasHeader: boolean;
  readonly columns: number;
}

/** A row as it lies in the file. */
export interface RowSpan {
  /** Bytes from the beginning of the file; `end` is behind its line end. */
  readonly start: number;
  readonly end: number;
  /** Counts from 1: the physical line on which it begins. */
  readonly line: number;
  readonly lines: number;
  readonly fields: number;
  /** Text follows a closing quote: where its fields end nobody can tell. */
  readonly broken: boolean;
}

const lf = 10;
const cr = 13;
const space = 32;

//  start ──quote──► quoted ──quote──► closing ──quote──► quoted       start, closing ──space──► the same
//  start ──other──► plain             closing ──other──► plain (the row is broken)
//  start, plain, closing ──delimiter──► start (of a field) ──line end──► start (of a row)
const start = 0;
const plain = 1;
const quoted = 2;
const closing = 3;
/** In a line before the first row. */
const passing = 4;

/**
 * Sees rows as DuckDB does in strict mode (blanks around quotes are no part of a value, a quote inside a plain field is
 * a letter, blank lines are no rows unless there is one column), but for empty fields too many at the end of a row, which
 * DuckDB takes for stray delimiters: they count. A lone CR ends a line.
 *
 * A loop over bytes: csv-parse takes 15 times as long. DuckDB's own list of rejects counts a line end inside quotes as
 * no line, and without that list its `ignore_errors` has lost rows that were right (duckdb/duckdb#14177).
 */
export class RowScanner {
  /** Rows of data so far, faulty ones included. */
  rows = 0;
  #state: number;
  /** Of the byte that comes next. */
  #offset = 0;
  #line = 1;
  #fields = 1;
  #broken = false;
  #rowStart = 0;
  #rowLine = 1;
  #afterCr = false;
  #header: boolean;
  #linesToSkip: number;
  #blank = true;
  #lastByte = 0;

  /** `faulty` is told of each row whose fields are not `columns`, and `every`, if given, of each row. */
  constructor(
    private readonly shape: RowShape,
    private readonly tell: {
      readonly faulty?: (row: RowSpan) => void;
      readonly every?: (row: RowSpan) => void;
    },
  ) {
    this.#header = shape.hasHeader;
    this.#linesToSkip = shape.skippedLines;
    this.#state = this.#linesToSkip > 0 ? passing : start;
  }

  scan(chunk: Uint8Array): void {
    const { shape } = this;
    const delimiter = shape.delimiter.charCodeAt(0);
    const quote = shape.quote === "" ? -1 : shape.quote.charCodeAt(0);
    const base = this.#offset;
    let at = base === 0 && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf ? 3 : 0;
    if (at > 0) this.#rowStart = at;
    if (this.#afterCr && chunk.length > 0) {
      this.#afterCr = false;
      if (chunk[0] === lf) at = 1;
      this.#endLine(base + at);
    }
    let state = this.#state;
    for (; at < chunk.length; at++) {
      const byte = chunk[at]!;
      if (byte === lf || byte === cr) {
        if (state === quoted) {
          const before = at === 0 ? this.#lastByte : chunk[at - 1];
          if (byte === cr || before !== cr) this.#line++;
          continue;
        }
        this.#state = state;
        if (byte === cr) {
          if (at + 1 === chunk.length) {
            this.#afterCr = true;
            continue;
          }
          if (chunk[at + 1] === lf) at++;
        }
        this.#endLine(base + at + 1);
        state = this.#state;
      } else if (state === plain) {
        if (byte === delimiter) {
          this.#fields++;
          state = start;
        }
      } else if (state === start) {
        this.#blank = false;
        if (byte === delimiter) this.#fields++;
        else if (byte === quote) state = quoted;
        else if (byte !== space) state = plain;
      } else if (state === quoted) {
        if (byte === quote) state = closing;
      } else if (state === closing) {
        if (byte === quote) state = quoted;
        else if (byte === delimiter) {
          this.#fields++;
          state = start;
        } else if (byte !== space) {
          this.#broken = true;
          state = plain;
        }
      }
    }
    this.#state = state;
    this.#offset = base + chunk.length;
    this.#lastByte = chunk[chunk.length - 1] ?? this.#lastByte;
  }

  /** Ends the file. Answers the line of a row whose quote is never closed. */
  end(): number | undefined {
    if (this.#afterCr) this.#endLine(this.#offset);
    if (this.#state === quoted) return this.#rowLine;
    if (this.#offset > this.#rowStart) this.#endLine(this.#offset);
    return undefined;
  }

  #endLine(end: number): void {
    const wasPassing = this.#state === passing;
    const lines = this.#line - this.#rowLine + 1;
    if (this.#linesToSkip > 0) this.#linesToSkip--;
    else if (!wasPassing && !(this.#blank && this.shape.columns > 1)) this.#endRow(end, lines);
    this.#line++;
    this.#rowLine = this.#line;
    this.#rowStart = end;
    this.#fields = 1;
    this.#broken = false;
    this.#blank = true;
    this.#state = this.#linesToSkip > 0 ? passing : start;
  }

  #endRow(end: number, lines: number): void {
    if (this.#header) {
      this.#header = false;
      return;
    }
    this.rows++;
    const { columns } = this.shape;
    const wrong = this.#fields !== columns || this.#broken;
    const tell = wrong ? (this.tell.faulty ?? this.tell.every) : this.tell.every;
    tell?.({
      start: this.#rowStart,
      end,
      line: this.#rowLine,
      lines,
      fields: this.#fields,
      broken: this.#broken,
    });
  }
}
