// Takes off what a server has put around a file on its way, as `Content-Encoding: gzip`. Knows nothing of the file.
import { type Duplex, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import zlib, { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { promisedBy } from "../core/magic.js";
import type { Exchange, Take } from "./download-exchange.js";

const chunkSize = 256 * 1024;

/** Node before 22.15 has no zstd. */
const createZstd = (zlib as { createZstdDecompress?: (options: object) => Duplex }).createZstdDecompress;

const decoders: Readonly<Record<string, (() => Duplex) | undefined>> = {
  gzip: () => createGunzip({ chunkSize }),
  deflate: () => createInflate({ chunkSize }),
  br: () => createBrotliDecompress({ chunkSize }),
  zstd: createZstd && (() => createZstd({ chunkSize })),
};

/**
 * Whether the encoded bytes are the file itself: servers that know `.gz` as an encoding send a `.csv.gz` as an encoded
 * `.csv`, and whoever names the output `.csv.gz` wants it so.
 */
export const isFileItself = (name: string, codings: readonly string[]): boolean =>
  codings.length === 1 && codings[0] === promisedBy(name)[0];

export const unknownCoding = (codings: readonly string[]): string | undefined =>
  codings.find((coding) => decoders[coding] === undefined);

/** Pours a body without its encodings, which were put on in the order given. */
export async function pourDecoded(exchange: Exchange, codings: readonly string[], take: Take): Promise<void> {
  if (codings.length === 0) return exchange.pour(take);
  const stages = [...codings].reverse().map((coding) => decoders[coding]!());
  const last = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      const room = take(chunk);
      room ? room.then(() => done(), done) : done();
    },
  });
  await pipeline([exchange.stream(), ...stages, last]);
}
