// Finds out how the lines of a file end, and makes a copy in which all end alike. Knows nothing of columns or types.
import { createReadStream, createWriteStream } from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

const lf = 10;
const cr = 13;

/**
 * Watches bytes go by. `mixed` may be a false alarm (LF inside quotes of a CRLF file), which costs a copy and no more.
 * A lone CR is not looked for: as a line end among others DuckDB refuses it.
 */
export class LineEnds {
  #bare = false;
  #paired = false;
  #endsInCr = false;

  note(chunk: Buffer): void {
    if (!this.mixed) this.#look(chunk);
    if (chunk.length > 0) this.#endsInCr = chunk[chunk.length - 1] === cr;
  }

  #look(chunk: Buffer): void {
    if (!chunk.includes(cr) && !this.#endsInCr) {
      this.#bare ||= chunk.includes(lf);
      return;
    }
    for (let at = chunk.indexOf(lf); at >= 0 && !this.mixed; at = chunk.indexOf(lf, at + 1)) {
      const paired = at === 0 ? this.#endsInCr : chunk[at - 1] === cr;
      if (paired) this.#paired = true;
      else this.#bare = true;
    }
  }

  /** Both LF and CRLF were seen, which DuckDB reads only in a mode that drops fields without a word. */
  get mixed(): boolean {
    return this.#bare && this.#paired;
  }
}

//  start ──quote──► quoted ──quote──► closing ──quote──► quoted        start ──other──► plain
//  plain, closing ──delimiter or line end──► start
type State = "start" | "plain" | "quoted" | "closing";

/** Copies `from` to `to` with CRLF made LF outside quotes. Line numbers stay the same. */
export async function unifyLineEnds(
  from: string,
  to: string,
  dialect: { readonly delimiter: string; readonly quote: string },
  signal?: AbortSignal,
): Promise<void> {
  const delimiter = dialect.delimiter.charCodeAt(0);
  const quote = dialect.quote === "" ? -1 : dialect.quote.charCodeAt(0);
  let state: State = "start";
  let held = false;
  const unify = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const out = Buffer.allocUnsafe(chunk.length + 1);
      let length = 0;
      for (let at = 0; at < chunk.length; at++) {
        const byte = chunk[at]!;
        if (held && byte !== lf) out[length++] = cr;
        held = byte === cr && state !== "quoted";
        if (!held) out[length++] = byte;
        state = next(state, byte, delimiter, quote);
      }
      done(null, out.subarray(0, length));
    },
    flush(done) {
      done(null, held ? Buffer.from([cr]) : undefined);
    },
  });
  await pipeline(
    createReadStream(from, { highWaterMark: 1 << 20 }),
    unify,
    createWriteStream(to),
    signal ? { signal } : {},
  );
}

function next(state: State, byte: number, delimiter: number, quote: number): State {
  if (state === "quoted") return byte === quote ? "closing" : "quoted";
  if (byte === quote && state !== "plain") return "quoted";
  if (byte === delimiter || byte === lf) return "start";
  return state === "closing" ? "closing" : "plain";
}
