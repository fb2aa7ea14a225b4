// A web server on loopback that does what a test tells it to, and a job to download from it. Knows nothing of downloads.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createNetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { ok } from "../../src/core/failure.js";
import type { DownloadRecipe } from "../../src/core/rule.js";
import type { Trace } from "../../src/core/trace.js";
import type { Job, Progress } from "../../src/engine/ports.js";

export type Handler = (request: IncomingMessage, response: ServerResponse, times: number) => void;

export interface Web {
  readonly origin: string;
  readonly requests: IncomingMessage[];
}

/** Serves until the test ends. `times` counts requests from 1. */
export async function serve(t: TestContext, handler: Handler): Promise<Web> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    handler(request, response, requests.length);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

/** Answers each request, counted from 1, on a bare socket: for what no server should send. Answers its origin and how many there were. */
export async function serveRaw(
  t: TestContext,
  handler: (socket: Socket, times: number, request: string) => void,
): Promise<{ readonly origin: string; readonly count: () => number }> {
  let times = 0;
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", (bytes) => handler(socket, ++times, String(bytes)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, count: () => times };
}

/** The bytes of a response: the lines of its head, and what comes after them. */
export const response = (lines: readonly string[], ...body: (Buffer | string)[]): Buffer =>
  Buffer.concat([
    Buffer.from(["HTTP/1.1 200 OK", ...lines, "", ""].join("\r\n")),
    ...body.map((part) => Buffer.from(part)),
  ]);

/** What a server with a file does: ranges where `If-Range` fits, and a cut after so many bytes of body if asked for. */
export function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  { body, etag, cutAfter }: { body: Buffer; etag?: string; cutAfter?: number },
): void {
  const range = /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const fits = etag !== undefined && request.headers["if-range"] === etag;
  const first = range && fits ? Number(range[1]) : 0;
  const part = body.subarray(first);
  if (first > 0) response.setHeader("content-range", `bytes ${first}-${body.length - 1}/${body.length}`);
  response.writeHead(first > 0 ? 206 : 200, { "content-length": part.length, ...(etag && { etag }) });
  if (cutAfter === undefined || cutAfter >= part.length) response.end(part);
  else if (cutAfter === 0) {
    response.flushHeaders();
    cut(response);
  } else response.write(part.subarray(0, cutAfter), () => cut(response));
}

/** Ends the connection as a network does that goes away. */
export function cut(response: ServerResponse): void {
  response.socket?.end();
  response.socket?.destroySoon();
}

export interface Desk {
  readonly job: Job;
  readonly recipe: DownloadRecipe;
  readonly logged: string[];
  readonly progress: Progress[];
  readonly abort: AbortController;
  readonly directory: string;
  /** What has been written to the stage. */
  written(): Buffer;
}

export interface DeskOptions {
  readonly url: string;
  readonly name?: string;
  readonly previous?: Trace;
  readonly recipe?: Partial<DownloadRecipe>;
  /** Another place to write to. */
  readonly path?: string;
}

/** All that a download needs for one run, in a directory that goes when the test ends. */
export function desk(t: TestContext, { url, name = "trips.csv", previous, recipe, path }: DeskOptions): Desk {
  const directory = mkdtempSync(join(tmpdir(), "dmake-web-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const staged = path ?? join(directory, ".staged.tmp");
  const logged: string[] = [];
  const progress: Progress[] = [];
  const abort = new AbortController();
  const whole: DownloadRecipe = { kind: "download", url, timeoutMs: 5_000, retries: 3, ...recipe };
  const at = { file: "Datafile.ts", line: 1 };
  const rule = { name: undefined, at, outputs: [], inputs: [], after: [], domains: {} } as never;
  const empty = {
    inputs: [],
    uses: [],
    after: [],
    optional: new Set<string>(),
    directories: new Set<string>(),
  };
  const job: Job = {
    step: { ...empty, id: name, rule, binding: {}, outputs: [name], recipe: whole },
    inputs: [],
    stage: { kind: "files", paths: [staged], depfile: `${staged}.read` },
    previous,
    threads: 1,
    signal: abort.signal,
    log: (text) => logged.push(text),
    progress: (step) => progress.push(step),
    need: async () => ok(undefined),
  };
  return { job, recipe: whole, logged, progress, abort, directory, written: () => readFileSync(staged) };
}
