// A web server that speaks HTTP/1.1 byte by byte as a script says, lies and cuts included. Knows nothing of downloads.
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setImmediate as turn } from "node:timers/promises";
import { gzipSync } from "node:zlib";

/** What is done with one request. Bytes are counted over head and body together. */
export interface Move {
  readonly answer: "file" | "ignore range" | "ignore if-range" | "silence" | "hang up" | "no http" | number;
  /** Which version of the file is there by then. */
  readonly version: number;
  readonly validator: "strong" | "weak" | "old date" | "same second" | "none" | "always the same";
  readonly length:
    | "right"
    | "too long"
    | "too short"
    | "negative"
    | "twice"
    | "no number"
    | "chunked"
    | "open";
  readonly range: "right" | "start" | "total" | "unit" | "missing" | "no total";
  readonly coding: "none" | "gzip" | "two members" | "garbage after" | "half" | "lie";
  /** Where it ends before its end, as a share of the bytes, and how. */
  readonly cut?: { readonly at: number; readonly how: "end" | "reset" | "stall" } | undefined;
  /** So many bytes at a time; all at once without it. */
  readonly drip?: number;
  readonly extra?: string;
  readonly hints?: number;
  readonly keeps?: boolean;
}

export interface Request {
  readonly path: string;
  readonly from: number | undefined;
  readonly ifRange: string | undefined;
}

/** What went out for one request: for a body that ends with the connection, nobody but the server knows whether it was whole. */
export interface Sent {
  readonly request: Request;
  readonly open?: Buffer;
}

const codings: Record<Move["coding"], (body: Buffer) => Buffer> = {
  none: (body) => body,
  lie: (body) => body,
  gzip: (body) => gzipSync(body, { level: 1 }),
  "two members": (body) => {
    const half = body.length >> 1;
    return Buffer.concat([gzipSync(body.subarray(0, half)), gzipSync(body.subarray(half))]);
  },
  "garbage after": (body) => Buffer.concat([gzipSync(body, { level: 1 }), Buffer.from("\0\0garbage\n")]),
  half: (body) => {
    const packed = gzipSync(body, { level: 1 });
    return packed.subarray(0, packed.length >> 1);
  },
};

const dateOf = (version: number): string => new Date(Date.UTC(2021, 0, 5, 10, 0, version)).toUTCString();

function validatorLines({ validator, version }: Move): string[] {
  const modified = `Last-Modified: ${dateOf(version)}`;
  switch (validator) {
    case "strong":
      return [`ETag: "v${version}"`];
    case "always the same":
      return ['ETag: "same"'];
    case "weak":
      return ['ETag: W/"same"'];
    case "old date":
      return [modified, `Date: ${dateOf(50)}`];
    case "same second":
      return [`Last-Modified: ${dateOf(9)}`, `Date: ${dateOf(9)}`];
    case "none":
      return [];
  }
}

function lengthLines(length: Move["length"], bytes: number): string[] {
  switch (length) {
    case "right":
      return [`Content-Length: ${bytes}`];
    case "too long":
      return [`Content-Length: ${bytes + 7}`];
    case "too short":
      return [`Content-Length: ${Math.max(0, bytes - 3)}`];
    case "negative":
      return [`Content-Length: -${bytes}`];
    case "twice":
      return [`Content-Length: ${bytes}`, `Content-Length: ${bytes >> 1}`];
    case "no number":
      return [`Content-Length: ${bytes}x`];
    case "chunked":
      return ["Transfer-Encoding: chunked", "Trailer: X-End"];
    case "open":
      return [];
  }
}

function rangeLines(range: Move["range"], first: number, total: number): string[] {
  switch (range) {
    case "right":
      return [`Content-Range: bytes ${first}-${total - 1}/${total}`];
    case "start":
      return [`Content-Range: bytes ${first + 1}-${total - 1}/${total}`];
    case "total":
      return [`Content-Range: bytes ${first}-${total}/${total + 1}`];
    case "unit":
      return [`Content-Range: rows ${first}-${total - 1}/${total}`];
    case "no total":
      return [`Content-Range: bytes ${first}-${total - 1}/*`];
    case "missing":
      return [];
  }
}

function chunked(body: Buffer): Buffer {
  const parts: Buffer[] = [];
  const step = Math.max(1, Math.ceil(body.length / 5));
  for (let at = 0; at < body.length; at += step) {
    const part = body.subarray(at, at + step);
    parts.push(Buffer.from(`${part.length.toString(16)};x=y\r\n`), part, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\nX-End: 1\r\n\r\n")]);
}

/** Every byte of a response, and what of them is its body. */
function responseOf(
  move: Move,
  request: Request,
  versions: readonly Buffer[],
): { head: Buffer; body: Buffer } {
  const file = versions[move.version]!;
  const coded = codings[move.coding](file);
  const etag = validatorLines(move)[0]?.replace(/^[^:]*: /, "");
  const resumes =
    request.from !== undefined &&
    (move.answer === "ignore if-range" || (move.answer === "file" && request.ifRange === etag));
  const status =
    typeof move.answer === "number"
      ? move.answer
      : resumes
        ? request.from! < coded.length
          ? 206
          : 416
        : 200;
  const plain =
    status === 206 ? coded.subarray(request.from) : status === 200 ? coded : Buffer.from("<p>sorry</p>");
  const body = move.length === "chunked" ? chunked(plain) : plain;
  const lines = [
    ...Array.from({ length: move.hints ?? 0 }, () => "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n"),
    `HTTP/1.1 ${status} Said so`,
    ...(move.keeps ? [] : ["Connection: close"]),
    ...(status === 206 ? rangeLines(move.range, request.from!, coded.length) : []),
    ...validatorLines(move),
    ...lengthLines(move.length, plain.length),
    ...(move.coding === "none" || status > 299 ? [] : ["Content-Encoding: gzip"]),
  ];
  return { head: Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body };
}

async function play(
  socket: Socket,
  move: Move,
  request: Request,
  versions: readonly Buffer[],
): Promise<Buffer | undefined> {
  if (move.answer === "silence") return undefined;
  if (move.answer === "hang up") return void socket.destroy();
  if (move.answer === "no http") return void socket.end("220 ready for mail\r\n");
  const { head, body } = responseOf(move, request, versions);
  const whole = Buffer.concat([head, body, Buffer.from(move.cut ? "" : (move.extra ?? ""))]);
  const wire = move.cut ? whole.subarray(0, Math.floor(whole.length * move.cut.at)) : whole;
  const step = move.drip ? Math.max(1, Math.ceil(wire.length / move.drip)) : wire.length;
  for (let at = 0; at < wire.length && !socket.destroyed; at += step) {
    socket.write(wire.subarray(at, at + step));
    if (move.drip) await turn();
  }
  if (move.cut?.how === "reset") socket.resetAndDestroy();
  else if (move.cut?.how !== "stall" && !(move.keeps && !move.cut && move.length !== "open")) socket.end();
  const isOpen = move.length === "open" && move.cut?.how !== "reset" && move.cut?.how !== "stall";
  return isOpen ? wire.subarray(head.length) : undefined;
}

function requestOf(text: string): Request {
  const from = /^range: bytes=(\d+)-\r$/im.exec(text)?.[1];
  return {
    path: /^GET (\S+)/.exec(text)![1]!,
    from: from === undefined ? undefined : Number(from),
    ifRange: /^if-range: (.*)\r$/im.exec(text)?.[1],
  };
}

export interface Hostile {
  readonly origin: string;
  /** In the order of the requests, by path. */
  readonly sent: ReadonlyMap<string, Sent[]>;
  close(): Promise<void>;
}

/** Plays for each path its own script; the last move of one is repeated. */
export async function hostileWeb(
  scripts: ReadonlyMap<string, readonly Move[]>,
  versions: readonly Buffer[],
): Promise<Hostile> {
  const sent = new Map<string, Sent[]>();
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", async (bytes) => {
      const request = requestOf(String(bytes));
      const before = sent.get(request.path) ?? [];
      const script = scripts.get(request.path)!;
      const move = script[Math.min(before.length, script.length - 1)]!;
      const entry: { request: Request; open?: Buffer } = { request };
      sent.set(request.path, [...before, entry]);
      const open = await play(socket, move, request, versions);
      if (open) entry.open = open;
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sent,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
