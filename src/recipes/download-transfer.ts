// The tries of one download: each asks for what is still missing and says how it ended. Knows nothing of waiting or of what the bytes mean.
import { type Failure, ok, type Result } from "../core/failure.js";
import { redactUrl } from "../core/redact.js";
import { isFileItself, pourDecoded, unknownCoding } from "./download-decode.js";
import type { Line } from "./download-exchange.js";
import { networkProblem } from "./download-failure.js";
import {
  contentCodings,
  contentLength,
  contentRange,
  type Headers,
  header,
  ifRangeOf,
  isOpenEnded,
  transferCoding,
  type Validators,
  validatorsOf,
} from "./download-headers.js";
import { refusal } from "./download-refusal.js";
import { type Answer, get } from "./download-request.js";
import type { HashedFile } from "./download-sink.js";

/** What to bring, and what it takes. */
export interface Order {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Final name of the file: decides whether an encoding belongs to it. */
  readonly name: string;
  /** What the file that is there already had: the server is asked whether that still holds. */
  readonly known: Validators | undefined;
  /** Take off every encoding, also one that looks like the file's own. */
  readonly decodeAll: boolean;
  /** Go on where a cut body ended, if the server says that it is the same file. */
  readonly resume: boolean;
  /** A digest will tell whether it is whole. */
  readonly sealed: boolean;
  readonly retries: number;
  readonly line: Line;
  readonly signal: AbortSignal;
  readonly log: (text: string) => void;
  readonly progress: (done: number, total: number | undefined) => void;
  /** Free of secrets whatever the server echoes. */
  readonly redact: (text: string) => string;
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

export type Arrival =
  | { readonly kind: "unmodified"; readonly validators: Validators }
  | {
      readonly kind: "whole";
      readonly validators: Validators;
      /** Where the bytes came from in the end, free of secrets. */
      readonly url: string;
      /** The bytes in the sink are still encoded for the way, and may be the file so. */
      readonly encoded: boolean;
      /** It came in several pieces, of one file if the server says true. */
      readonly resumed: boolean;
    };

/** What is in the sink: the beginning of the body that these headers came with. */
interface Part {
  readonly headers: Headers;
  readonly ifRange: string | undefined;
  /** Length of the whole, where the server said it and no decoder changes it. */
  readonly total: number | undefined;
}

export type Ended =
  | { readonly kind: "arrived"; readonly arrival: Arrival }
  | { readonly kind: "hopeless"; readonly failure: Failure }
  /** A body whose end nobody vouches for: it is believed when it comes twice. */
  | { readonly kind: "doubtful" }
  | { readonly kind: "passing"; readonly failure: Failure; readonly retryAfterMs?: number };

/** The tries of one download, which share what has arrived so far. */
export class Transfer {
  readonly #order: Order;
  readonly #openSink: () => Promise<Result<HashedFile>>;
  #sink: HashedFile | undefined;
  #part: Part | undefined;
  #tries = 0;
  #resumed = false;
  /** Digest and length of the last body whose end nobody vouched for. */
  #doubtful: string | undefined;

  constructor(order: Order, openSink: () => Promise<Result<HashedFile>>) {
    this.#order = order;
    this.#openSink = openSink;
  }

  get length(): number {
    return this.#sink?.length ?? 0;
  }

  async attempt(): Promise<Ended> {
    this.#tries++;
    try {
      const answer = await get({ ...this.#order, own: this.#order.headers, protocol: this.#protocol() });
      return answer.ok ? await this.#take(answer.value) : { kind: "hopeless", failure: answer.error };
    } catch (error) {
      if (this.#order.signal.aborted) return { kind: "hopeless", failure: { reason: "interrupted" } };
      if (this.#sink?.failure) return { kind: "hopeless", failure: this.#sink.failure };
      const problem = networkProblem(error);
      if (problem === undefined) throw error;
      if (!problem.passing) return { kind: "hopeless", failure: this.#network(problem.message) };
      return { kind: "passing", failure: this.#incomplete() ?? this.#network(problem.message) };
    }
  }

  /** Asks for the rest where there is a beginning that the rest can be told to belong to; otherwise for a change. */
  #protocol(): Record<string, string> {
    if (this.#part?.ifRange !== undefined && this.length > 0)
      return { range: `bytes=${this.length}-`, "if-range": this.#part.ifRange };
    const known = this.#sink ? undefined : this.#order.known;
    return {
      ...(known?.etag && { "if-none-match": known.etag }),
      ...(known?.lastModified && { "if-modified-since": known.lastModified }),
    };
  }

  async #take(answer: Answer): Promise<Ended> {
    const { status, headers } = answer.exchange;
    const resuming = this.#part?.ifRange !== undefined && this.length > 0;
    if (status === 200) return this.#fromStart(answer);
    if (status === 206 && resuming && this.#continues(headers)) {
      this.#resumed = true;
      return this.#pour(answer);
    }
    if (status === 304 && this.#order.known && !this.#sink) {
      answer.exchange.discard();
      return { kind: "arrived", arrival: { kind: "unmodified", validators: validatorsOf(headers) } };
    }
    const { redact, log } = this.#order;
    if (!resuming || (status !== 206 && status !== 416))
      return refusal(answer, { attempts: this.#tries, redact, log });
    answer.exchange.discard();
    this.#part = undefined;
    const message = `the file has changed, or the server cannot resume it (status ${status})`;
    return { kind: "passing", failure: this.#network(message) };
  }

  /** Whether a 206 is the rest of what is in the sink: the same version, encoded alike, from the very next byte. */
  #continues(headers: Headers): boolean {
    const range = contentRange(headers);
    const part = this.#part!;
    const name = part.ifRange === header(part.headers, "etag") ? "etag" : "last-modified";
    return (
      range?.first === this.length &&
      // Where nobody says how long the whole is, this may be any piece of it.
      (range.total ?? part.total) !== undefined &&
      (part.total === undefined || range.total === undefined || range.total === part.total) &&
      header(headers, name) === part.ifRange &&
      contentCodings(headers).join() === contentCodings(part.headers).join()
    );
  }

  async #fromStart(answer: Answer): Promise<Ended> {
    const { headers } = answer.exchange;
    const codings = this.#codings(headers);
    const unknown = transferCoding(headers) ?? unknownCoding(codings);
    const sink = await this.#cleanSink();
    if (!sink.ok || unknown !== undefined) {
      answer.exchange.discard();
      return { kind: "hopeless", failure: sink.ok ? this.#unreadable(unknown!) : sink.error };
    }
    const plain = codings.length === 0;
    const total = plain ? contentLength(headers) : undefined;
    const ifRange = plain && this.#order.resume ? ifRangeOf(headers) : undefined;
    this.#part = { headers, ifRange, total };
    this.#resumed = false;
    return this.#pour(answer);
  }

  async #cleanSink(): Promise<Result<HashedFile>> {
    const sink = this.#sink ? ok(this.#sink) : await this.#openSink();
    if (!sink.ok) return sink;
    if (this.length > 0) this.#order.log("starting over from the first byte\n");
    this.#sink = sink.value;
    await sink.value.restart();
    return sink;
  }

  /** The encodings that have to come off; those of `headers` that are the file itself do not. */
  #codings(headers: Headers): readonly string[] {
    const codings = contentCodings(headers);
    return !this.#order.decodeAll && isFileItself(this.#order.name, codings) ? [] : codings;
  }

  async #pour({ exchange, url }: Answer): Promise<Ended> {
    const { progress, log } = this.#order;
    const sink = this.#sink!;
    const part = this.#part!;
    const total = part.total ?? contentRange(exchange.headers)?.total;
    if (exchange.status === 206) log(`resuming at byte ${sink.length}\n`);
    const codings = this.#codings(exchange.headers);
    await pourDecoded(exchange, codings, (chunk) => {
      const room = sink.write(chunk);
      progress(sink.length, codings.length > 0 ? undefined : total);
      if (sink.failure) exchange.discard();
      return room;
    });
    if (total !== undefined && sink.length !== total)
      return { kind: "passing", failure: this.#incomplete(total)! };
    const doubt = this.#order.sealed ? undefined : await this.#doubt(exchange.headers, total);
    if (doubt) return doubt;
    const encoded = codings.length === 0 && contentCodings(part.headers).length > 0;
    const resumed = this.#resumed;
    const arrival = { validators: validatorsOf(part.headers), url: this.#shown(url), encoded, resumed };
    return { kind: "arrived", arrival: { kind: "whole", ...arrival } };
  }

  /** Why the end of a body is not to be believed. What has come is then no beginning of anything. */
  async #doubt(headers: Headers, total: number | undefined): Promise<Ended | undefined> {
    if (await this.#order.line.exceeded()) {
      this.#part = undefined;
      return { kind: "passing", failure: this.#network("more bytes came after the end of the body") };
    }
    return total === undefined && isOpenEnded(headers) ? this.#openEnded() : undefined;
  }

  /** Nothing if it is what came the time before. */
  #openEnded(): Ended | undefined {
    const before = this.#doubtful;
    this.#doubtful = `${this.length} bytes, ${this.#sink!.digest()}`;
    this.#part = undefined;
    if (before === this.#doubtful) return undefined;
    if (before === undefined) return { kind: "doubtful" };
    const message = "the server does not say how long the file is, and sent another one each time";
    return { kind: "passing", failure: this.#network(message) };
  }

  readonly #shown = (url: URL): string => this.#order.redact(redactUrl(url.href));

  #unreadable(coding: string): Failure {
    return {
      reason: "download-not-data",
      url: this.#shown(this.#order.url),
      expected: "a known Content-Encoding",
      found: coding,
      head: "",
    };
  }

  #network(message: string): Failure {
    const { url, redact } = this.#order;
    return {
      reason: "download-network",
      url: this.#shown(url),
      message: redact(message),
      attempts: this.#tries,
    };
  }

  /** Only where some of the body came and its length is known. */
  #incomplete(total = this.#part?.total): Failure | undefined {
    if (total === undefined || this.length === 0) return undefined;
    return {
      reason: "download-incomplete",
      url: this.#shown(this.#order.url),
      expectedBytes: total,
      receivedBytes: this.length,
      attempts: this.#tries,
    };
  }
}
