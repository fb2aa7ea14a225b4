// Rules whose recipe makes one file by itself: downloads, and parquet files. Knows nothing of fetching or converting.
import type { Binding, Compression } from "../core/rule.js";
import { type CommonOptions, compressionProblem, declare, onlySingleFiles } from "./declare.js";
import { duration } from "./domain.js";
import { plainFileUrl } from "./file-url.js";
import { downloadRetries } from "./patience.js";
import { type ReadingOptions, readingOf } from "./reading.js";
import { callerPlace, session } from "./session.js";
import { unboundIn, urlOf } from "./url-text.js";
import type { RuleHandle } from "./wild.js";

type UrlOf<V> = string | ((values: V) => string);

interface DownloadGiven<V> extends CommonOptions {
  readonly url: unknown;
  readonly sha256?: string | ((values: V) => string | undefined);
  readonly headers?: Readonly<Record<string, string>>;
  readonly maxAge?: string | number;
  readonly timeout?: string | number;
  readonly retries?: number;
}

/** Declares files that are downloaded. */
export function downloadRule<W extends string, V>(target: string, options: DownloadGiven<V>): RuleHandle<W> {
  const { sha256, headers, maxAge, timeout, retries } = options;
  const url = options.url as UrlOf<Binding>;
  const { root } = session();
  const timeoutMs = duration(timeout ?? "30 s");
  const times = downloadRetries(retries ?? 5, callerPlace());
  const maxAgeMs = maxAge === undefined ? undefined : duration(maxAge);
  return declare({
    kind: "download",
    targets: [target],
    options: { ...options, from: [] },
    check: (outputs, at) => onlySingleFiles(outputs, at) ?? unboundIn(url, outputs[0], at),
    recipe: (binding, at) => {
      const expected = typeof sha256 === "function" ? sha256(binding as V) : sha256;
      return {
        kind: "download",
        url: plainFileUrl(urlOf(url, binding, at), root, at),
        ...(expected && { sha256: expected }),
        ...(headers && { headers }),
        ...(maxAgeMs !== undefined && { maxAgeMs }),
        timeoutMs,
        retries: times,
      };
    },
  });
}

interface ParquetGiven extends CommonOptions, ReadingOptions {
  readonly compression?: Compression;
}

/** Declares parquet files made of data files. */
export function parquetRule<W extends string>(target: string, options: ParquetGiven): RuleHandle<W> {
  const { compression = "zstd" } = options;
  const reading = readingOf(options, callerPlace());
  return declare({
    kind: "parquet",
    targets: [target],
    options,
    check: (outputs, at) => onlySingleFiles(outputs, at) ?? compressionProblem(compression, at),
    recipe: () => ({ kind: "parquet", ...reading, compression }),
  });
}
