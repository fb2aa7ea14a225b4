// One request and its response: headers first, then the body as the socket gives it. Knows nothing of redirects, files or retries.
import { setMaxListeners } from "node:events";
import { Readable } from "node:stream";
import type { Client as Connection, Dispatcher } from "undici";
import { Client, errors } from "./download-client.js";
import type { Headers } from "./download-headers.js";
import { Wire } from "./download-wire.js";

const connectMs = 10_000;
/** As many `103 Early Hints` and the like as any server has a reason to send. */
const maxHints = 20;

/** Takes a part of a body. A promise asks for nothing more until it is kept. */
export type Take = (chunk: Uint8Array) => Promise<void> | undefined;

/** The connection of one download: one request at a time, each on a socket of its own. */
export class Line {
  readonly #timeoutMs: number;
  readonly #given: AbortSignal;
  /** Its own signal: one listener on the one that is given, however many sockets there are. */
  readonly #end = new AbortController();
  readonly #onAbort = () => this.#end.abort(new Error("interrupted"));
  #client: Connection | undefined;
  #wire = new Wire();

  /** Everything ends with the signal, also a connection that is still being made. */
  constructor(timeoutMs: number, given: AbortSignal) {
    this.#timeoutMs = timeoutMs;
    this.#given = given;
    given.addEventListener("abort", this.#onAbort, { once: true });
    if (given.aborted) this.#onAbort();
    setMaxListeners(0, this.#end.signal);
  }

  /** Answers when the headers are there; throws what the network does. The response before this one is over with it. */
  async get(url: URL, headers: Record<string, string>): Promise<Exchange> {
    await this.#client?.destroy();
    const { signal } = this.#end;
    // A socket that is made with a signal that has gone off is never closed by Node 20.
    signal.throwIfAborted();
    this.#wire = new Wire();
    const client = this.#clientFor(url.origin);
    this.#client = client;
    const hangUp = (error: Error) => void client.destroy(error);
    const exchange = new Exchange({ signal, hangUp, wire: this.#wire, timeoutMs: this.#timeoutMs });
    const path = `${url.pathname}${url.search}`;
    client.dispatch({ origin: url.origin, path, method: "GET", headers, reset: true }, exchange);
    await exchange.started;
    return exchange;
  }

  /**
   * No agent and no pool: where a response is broken off, theirs connect once more for nobody, out of reach of whoever
   * destroys them (undici 7.30), and that socket holds the process for a minute.
   */
  #clientFor(origin: string): Connection {
    // Node tries the next address of a host after 250 ms, too little for a far one: every address then times out.
    const connect = {
      timeout: Math.min(connectMs, this.#timeoutMs),
      signal: this.#end.signal,
      autoSelectFamilyAttemptTimeout: 2_500,
    };
    // The exchange keeps the time itself: undici's clock is half a second wide and cannot tell a slow disk from a silent server.
    return new Client(origin, {
      connect: this.#wire.connector(connect as object),
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  /** Whether the last body went on after its end, as far as the server has told within a moment. */
  exceeded(): Promise<boolean> {
    return this.#wire.exceeded();
  }

  /** Returns when the socket is closed: nothing holds the process any more. */
  async close(): Promise<void> {
    this.#given.removeEventListener("abort", this.#onAbort);
    this.#end.abort(new Error("interrupted"));
    await this.#client?.destroy();
  }
}

/** A promise that is kept from outside. One that is broken off before anybody waits for it harms nobody. */
class Promised {
  keep!: () => void;
  breakOff!: (error: Error) => void;
  readonly promise = new Promise<void>((keep, breakOff) => {
    this.keep = keep;
    this.breakOff = breakOff;
  });

  constructor() {
    this.promise.catch(() => {});
  }
}

interface Means {
  readonly signal: AbortSignal;
  /** Closes the connection for good, whatever becomes of the request. */
  readonly hangUp: (error: Error) => void;
  readonly wire: Wire;
  /** For all headers together, and between two parts of the body. */
  readonly timeoutMs: number;
}

/**
 * A response whose body waits in the socket until it is poured or discarded. Not a stream on purpose: a stream drops what
 * it holds when the connection is cut, and those bytes would have to come again.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  status = 0;
  headers: Headers = {};
  readonly #means: Means;
  readonly #started = new Promised();
  readonly #ended = new Promised();
  readonly #onAbort = () => this.#stop(new Error("interrupted"));
  #controller: Dispatcher.DispatchController | undefined;
  #silence: NodeJS.Timeout | undefined;
  #hints = 0;
  #take: Take = () => undefined;
  /** What came of a part of the body that was read before there was room for it. Nothing while there is. */
  #held: Uint8Array[] | undefined;
  /** What to tell once everything that is held is handed over. */
  #last: (() => void) | undefined;
  #stopped = false;

  constructor(means: Means) {
    this.#means = means;
    means.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Kept when the headers are there. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#means.signal.aborted) this.#onAbort();
    else this.#awaits(new errors.HeadersTimeoutError());
  }

  onResponseStart(_controller: unknown, status: number, headers: Headers): void {
    if (status < 200) {
      if (++this.#hints > maxHints) this.#stop(new errors.SocketError("endless hints before the response"));
      return;
    }
    this.status = status;
    this.headers = headers;
    this.#hold();
    this.#started.keep();
  }

  onResponseData(_controller: unknown, chunk: Uint8Array): void {
    if (this.#stopped) return;
    if (this.#held) {
      this.#held.push(chunk);
      return;
    }
    this.#silence!.refresh();
    this.#offer(chunk);
  }

  onResponseEnd(): void {
    this.#finish(() => this.#ended.keep());
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#started.breakOff(error);
    this.#finish(() => this.#ended.breakOff(error));
  }

  /** Hands over the body to its last byte. Throws what the network does, after what came before was handed over. */
  async pour(take: Take): Promise<void> {
    this.#take = take;
    this.#release();
    await this.#ended.promise;
  }

  /** Reads no further. The socket goes with it. */
  discard(): void {
    this.#stop(new Error("not wanted"));
  }

  #offer(chunk: Uint8Array): void {
    const room = this.#take(chunk);
    if (!room) return;
    this.#hold();
    room.then(
      () => this.#release(),
      (error: Error) => this.#stop(error),
    );
  }

  /** Nothing comes while it is held, so it is not the server that is silent. */
  #hold(): void {
    this.#held = [];
    this.#means.wire.hold();
    clearTimeout(this.#silence);
  }

  #release(): void {
    if (this.#stopped) return;
    const chunks = this.#held ?? [];
    this.#held = undefined;
    for (const chunk of chunks) {
      if (this.#held) (this.#held as Uint8Array[]).push(chunk);
      else this.#offer(chunk);
    }
    if (this.#held || this.#stopped) return;
    if (this.#last) {
      this.#last();
      return;
    }
    this.#awaits(new errors.BodyTimeoutError());
    this.#means.wire.release();
  }

  #awaits(missing: Error): void {
    this.#silence = setTimeout(() => this.#stop(missing), this.#means.timeoutMs);
  }

  #finish(last: () => void): void {
    clearTimeout(this.#silence);
    this.#means.signal.removeEventListener("abort", this.#onAbort);
    if (this.#held) this.#last ??= last;
    else last();
  }

  /** Both in one turn: a client that outlives its broken request would connect anew. */
  #stop(error: Error): void {
    this.#stopped = true;
    clearTimeout(this.#silence);
    this.#held = undefined;
    this.#ended.breakOff(error);
    this.#controller?.abort(error);
    this.#means.hangUp(error);
  }

  /** The body as a stream, for decoders. */
  stream(): Readable {
    let more = () => {};
    const stream = new Readable({
      read: () => more(),
      destroy: (error, done) => {
        this.discard();
        done(error);
      },
    });
    const take: Take = (chunk) => {
      if (stream.push(chunk)) return undefined;
      return new Promise((resolve) => {
        more = resolve;
      });
    };
    this.pour(take).then(
      () => stream.push(null),
      (error: Error) => stream.destroy(error),
    );
    return stream;
  }
}
