// One request and its response: headers first, then the body as the socket gives it. Knows nothing of redirects, files or retries.
import { setMaxListeners } from "node:events";
import { Readable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import { Client, type Dispatcher } from "undici";
import type { Headers } from "./download-headers.js";

const connectMs = 10_000;

/** Takes a part of a body. A promise asks for nothing more until it is kept. */
export type Take = (chunk: Uint8Array) => Promise<void> | undefined;

/** The connection of one download: one request at a time, each on a socket of its own. */
export class Line {
  readonly #timeoutMs: number;
  readonly #given: AbortSignal;
  /** Its own signal: one listener on the one that is given, however many sockets there are. */
  readonly #end = new AbortController();
  readonly #onAbort = () => this.#end.abort(new Error("interrupted"));
  #client: Client | undefined;
  #excess = false;

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
    const client = this.#clientFor(url.origin);
    this.#client = client;
    this.#excess = false;
    const exchange = new Exchange(signal, (error) => void client.destroy(error));
    const path = `${url.pathname}${url.search}`;
    client.dispatch({ origin: url.origin, path, method: "GET", headers }, exchange);
    await exchange.started;
    return exchange;
  }

  /**
   * No agent and no pool: where a response is broken off, theirs connect once more for nobody, out of reach of whoever
   * destroys them (undici 7.30), and that socket holds the process for a minute.
   */
  #clientFor(origin: string): Client {
    // Node tries the next address of a host after 250 ms, too little for a far one: every address then times out.
    const connect = {
      timeout: Math.min(connectMs, this.#timeoutMs),
      signal: this.#end.signal,
      autoSelectFamilyAttemptTimeout: 2_500,
    };
    const client = new Client(origin, {
      connect: connect as object,
      headersTimeout: this.#timeoutMs,
      bodyTimeout: this.#timeoutMs,
    });
    client.on("disconnect", (_origin, _targets, { message, code }) => {
      // undici's words for bytes that come after a body has had its Content-Length.
      this.#excess ||= message === "bad response" || /^HPE_/.test(code ?? "");
    });
    return client;
  }

  /** Whether the last body went on after its Content-Length, as far as its socket had told by then. */
  async exceeded(): Promise<boolean> {
    // The socket is closed in the turn after the one that ended the body.
    await turn();
    await turn();
    return this.#excess;
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

/**
 * A response whose body waits in the socket until it is poured or discarded. Not a stream on purpose: a stream drops what
 * it holds when the connection is cut, and those bytes would have to come again.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  status = 0;
  headers: Headers = {};
  readonly #started = new Promised();
  readonly #ended = new Promised();
  readonly #signal: AbortSignal;
  readonly #hangUp: (error: Error) => void;
  readonly #onAbort = () => this.#stop(new Error("interrupted"));
  #controller: Dispatcher.DispatchController | undefined;
  #take: Take = () => undefined;

  /** `hangUp` closes the connection for good, whatever becomes of the request. */
  constructor(signal: AbortSignal, hangUp: (error: Error) => void) {
    this.#signal = signal;
    this.#hangUp = hangUp;
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Kept when the headers are there. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#signal.aborted) this.#onAbort();
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return;
    this.status = status;
    this.headers = headers;
    controller.pause();
    this.#started.keep();
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Uint8Array): void {
    const room = this.#take(chunk);
    if (!room) return;
    controller.pause();
    room.then(
      () => controller.resume(),
      (error: Error) => this.#stop(error),
    );
  }

  onResponseEnd(): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#ended.keep();
  }

  onResponseError(_controller: unknown, error: Error): void {
    this.#signal.removeEventListener("abort", this.#onAbort);
    this.#started.breakOff(error);
    this.#ended.breakOff(error);
  }

  /** Hands over the body to its last byte. Throws what the network does, after what came before was handed over. */
  async pour(take: Take): Promise<void> {
    this.#take = take;
    this.#controller!.resume();
    await this.#ended.promise;
  }

  /** Reads no further. The socket goes with it. */
  discard(): void {
    this.#stop(new Error("not wanted"));
  }

  /** Both in one turn: a client that outlives its broken request would connect anew. */
  #stop(error: Error): void {
    this.#controller?.abort(error);
    this.#hangUp(error);
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
