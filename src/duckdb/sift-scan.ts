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
  /**
   * Rows of data, the first ones, of which empty fields too many are a fault; all where it is left out. Behind them they
   * pass, as they do where DuckDB alone looks.
   */
  readonly strictRows?: number;
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
/** A CR with an LF behind it, where others are one byte. */
const crlf = 0;

//  start ──space──► indented          start, indented ──quote──► quoted ──quote──► closing ──quote──► quoted
//  start, indented ──other──► plain   closing ──space──► closed ──space──► closed
//  closing, closed ──other──► plain (the row is broken: also where it is a quote behind a space)
//  all but quoted ──delimiter──► start (of a field) ──line end──► start (of a row)
const start = 0;
const plain = 1;
const quoted = 2;
const closing = 3;
/** In a line before the first row. */
const passing = 4;
const indented = 5;
const closed = 6;

/**
 * Sees rows as DuckDB does in strict mode (one blank before a quote and any behind it are no part of a value, a quote
 * inside a plain field, or behind two blanks, is a letter, blank lines are no rows unless there is one column), but for
 * two things. Empty fields too many at the end of a row, which DuckDB takes for stray delimiters, count in the first rows.
 * And of `"x" "y"`, which DuckDB reads as `x y`, nobody knows what is meant: the row is broken. A lone CR ends a line.
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
  /** A field beyond the columns holds something. */
  #overfull = false;
  #rowStart = 0;
  #rowLine = 1;
  #afterCr = false;
  #header: boolean;
  #linesToSkip: number;
  #blank = true;
  #lastByte = 0;
  #endsInLf = false;
  #endsInBareLf = false;
  #endsInCr: RowSpan | undefined;

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
    const { columns } = shape;
    const delimiter = shape.delimiter.charCodeAt(0);
    const quote = shape.quote === "" ? -1 : shape.quote.charCodeAt(0);
    const base = this.#offset;
    let at = base === 0 && chunk[0] === 0xef && chunk[1] === 0xbb && chunk[2] === 0xbf ? 3 : 0;
    if (at > 0) this.#rowStart = at;
    if (this.#afterCr && chunk.length > 0) {
      this.#afterCr = false;
      if (chunk[0] === lf) at = 1;
      this.#endLine(base + at, at === 0 ? cr : crlf);
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
        if (byte === cr && at + 1 === chunk.length) {
          this.#afterCr = true;
          continue;
        }
        const isPair = byte === cr && chunk[at + 1] === lf;
        if (isPair) at++;
        this.#endLine(base + at + 1, isPair ? crlf : byte);
        state = this.#state;
      } else if (state === plain) {
        if (byte === delimiter) {
          this.#fields++;
          state = start;
        }
      } else if (state === start) {
        this.#blank = false;
        if (byte === delimiter) {
          this.#fields++;
          continue;
        }
        if (this.#fields > columns) this.#overfull = true;
        state = byte === quote ? quoted : byte === space ? indented : plain;
      } else if (state === quoted) {
        if (byte === quote) state = closing;
      } else if (state !== passing) {
        if (byte === delimiter) {
          this.#fields++;
          state = start;
        } else if (byte === quote && state !== closed) state = quoted;
        else if (state === indented) state = plain;
        else if (byte === space) state = closed;
        else {
          this.#broken = true;
          state = plain;
        }
      }
    }
    this.#state = state;
    this.#offset = base + chunk.length;
    this.#lastByte = chunk[chunk.length - 1] ?? this.#lastByte;
  }

  /** Ends the file. Answers a row whose quote is never closed. */
  end(): RowSpan | undefined {
    // Where all lines end in CRLF it is the half of one.
    if (this.#afterCr) this.#endLine(this.#offset, this.#endsInLf && !this.#endsInBareLf ? crlf : cr);
    if (this.#state === quoted) return this.#spanTo(this.#offset);
    if (this.#offset > this.#rowStart) this.#endRest(this.#offset);
    return undefined;
  }

  /** The first row, header or blank line that ends in a CR alone, of a file where others end in LF: DuckDB reads no such file. */
  get carriageReturn(): RowSpan | undefined {
    return this.#endsInLf ? this.#endsInCr : undefined;
  }

  #endLine(end: number, by: number): void {
    if (this.#state !== passing) {
      if (by === cr) this.#endsInCr ??= this.#spanTo(end);
      else this.#endsInLf = true;
      this.#endsInBareLf ||= by === lf;
    }
    this.#endRest(end);
  }

  #spanTo(end: number): RowSpan {
    return {
      start: this.#rowStart,
      end,
      line: this.#rowLine,
      lines: this.#line - this.#rowLine + 1,
      fields: this.#fields,
      broken: this.#broken,
    };
  }

  #endRest(end: number): void {
    const wasPassing = this.#state === passing;
    if (this.#linesToSkip > 0) this.#linesToSkip--;
    else if (!wasPassing && !(this.#blank && this.shape.columns > 1)) this.#endRow(end);
    this.#line++;
    this.#rowLine = this.#line;
    this.#rowStart = end;
    this.#fields = 1;
    this.#broken = false;
    this.#overfull = false;
    this.#blank = true;
    this.#state = this.#linesToSkip > 0 ? passing : start;
  }

  #endRow(end: number): void {
    if (this.#header) {
      this.#header = false;
      return;
    }
    this.rows++;
    const { columns, strictRows = Number.POSITIVE_INFINITY } = this.shape;
    const isStray = this.#fields > columns && !this.#overfull && this.rows > strictRows;
    const wrong = this.#broken || (this.#fields !== columns && !isStray);
    const tell = wrong ? (this.tell.faulty ?? this.tell.every) : this.tell.every;
    tell?.(this.#spanTo(end));
  }
}
