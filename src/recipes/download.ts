// The download recipe: brings a file from a URL into its stage and believes it only when it is whole and what its name says. Knows nothing of records or of publishing.
import assert from "node:assert/strict";
import { setMaxListeners } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import { type Contradiction, contradiction, gunzipHead, magicOf, printable } from "../core/magic.js";
import { redactText, redactUrl, secretsIn } from "../core/redact.js";
import type { DownloadRecipe } from "../core/rule.js";
import type { Digest } from "../core/trace.js";
import type { Job, Outcome, Runner } from "../engine/ports.js";
import { Line } from "./download-exchange.js";
import { copyFile, pathOf } from "./download-file.js";
import type { Validators } from "./download-headers.js";
import { fetchHttp } from "./download-http.js";
import { basic, isWeb, unsendable } from "./download-request.js";
import { HashedFile } from "./download-sink.js";
import type { Arrival, Order } from "./download-transfer.js";

/** What the recipe needs of the world besides sockets and files. */
export interface DownloadWorld {
  /** Returns after so many milliseconds, or as soon as the signal aborts; never rejects. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A runner for downloads. Tests bring a `wait` that does not. */
export function createDownload(world: DownloadWorld): Runner<DownloadRecipe> {
  return async (recipe, job) => {
    assert(job.stage.kind === "files" && job.stage.paths.length === 1, "bug: a download makes one file");
    if (job.signal.aborted) return fail({ reason: "interrupted" });
    // Every download of a build listens to the same signal: more than ten are no leak.
    setMaxListeners(0, job.signal);
    const run = new Run(recipe, job, job.stage.paths[0]!, world);
    try {
      return await run.carryOut();
    } finally {
      await run.close();
    }
  };
}

/**
 * Downloads one file. Proxies are not looked for.
 *
 * Fails with `unsupported-url`, `source-missing`, `interrupted`, `io` and the reasons that begin with `download-`, or with
 * `digest-mismatch`. Answers `unchanged` where the server says that the file of the last success still holds.
 */
export const runDownload: Runner<DownloadRecipe> = createDownload({
  wait: (ms, signal) => sleep(ms, undefined, { signal }).catch(() => {}),
});

/** One run: it owns the sockets and the open file. */
class Run {
  readonly #recipe: DownloadRecipe;
  readonly #job: Job;
  readonly #path: string;
  readonly #world: DownloadWorld;
  readonly #secrets: readonly string[];
  readonly #shown: string;
  #sink: HashedFile | undefined;
  #progressAt = 0;

  constructor(recipe: DownloadRecipe, job: Job, path: string, world: DownloadWorld) {
    this.#recipe = recipe;
    this.#job = job;
    this.#path = path;
    this.#world = world;
    this.#shown = redactUrl(recipe.url);
    this.#secrets = secretsOf(recipe);
  }

  async carryOut(): Promise<Result<Outcome>> {
    const { url, headers = {} } = this.#recipe;
    const problem = unsendable(url, headers);
    if (problem !== undefined)
      return fail({ reason: "unsupported-url", url: printable(Buffer.from(this.#shown)), problem });
    if (/^file:/i.test(url)) return this.#copy();
    if (!URL.canParse(url) || !isWeb(new URL(url)))
      return fail({ reason: "unsupported-url", url: this.#shown });
    return this.#fetch(new URL(url));
  }

  async close(): Promise<void> {
    await this.#sink?.close();
  }

  async #copy(): Promise<Result<Outcome>> {
    const path = pathOf(this.#recipe.url);
    if (path === undefined) return fail({ reason: "unsupported-url", url: this.#shown });
    const sink = await this.#openSink();
    if (!sink.ok) return sink;
    const { signal, log } = this.#job;
    const copy = {
      path,
      url: this.#shown,
      retries: this.#recipe.retries,
      signal,
      log,
      progress: this.#progress,
    };
    const copied = await copyFile(copy, sink.value);
    return copied.ok ? this.#believe(sink.value, { url: this.#shown, validators: {} }) : copied;
  }

  async #fetch(url: URL): Promise<Result<Outcome>> {
    const { headers = {}, retries, timeoutMs } = this.#recipe;
    const { signal, log, step } = this.#job;
    const line = new Line(timeoutMs, signal);
    const redact = this.#redact;
    const known = this.#known();
    const order = {
      url,
      headers,
      retries,
      line,
      signal,
      log,
      known,
      redact,
      name: step.outputs[0]!,
      decodeAll: false,
      resume: true,
      sealed: this.#recipe.sha256 !== undefined,
    };
    try {
      return await this.#fetchWith({ ...order, progress: this.#progress, wait: this.#world.wait });
    } finally {
      await line.close();
    }
  }

  async #fetchWith(order: Order): Promise<Result<Outcome>> {
    const arrived = await fetchHttp(order, () => this.#openSink());
    if (!arrived.ok) return arrived;
    const arrival = arrived.value;
    if (arrival.kind === "unmodified") return ok(this.#unchanged(arrival));
    const outcome = await this.#believe(this.#sink!, arrival);
    // gzip around a file that is gzip itself: what looked like the file was its wrapping.
    const wrapped =
      !outcome.ok && outcome.error.reason === "download-not-data" && outcome.error.found === "gzip";
    if (wrapped && arrival.encoded && !order.decodeAll) {
      order.log("the server sent the file compressed once more; fetching it again to unpack it\n");
      return this.#fetchWith({ ...order, known: undefined, decodeAll: true });
    }
    const patched = !outcome.ok && outcome.error.reason === "digest-mismatch" && arrival.resumed;
    if (!patched) return outcome;
    order.log("the pieces do not make the file of the `sha256`; fetching it again in one piece\n");
    return this.#fetchWith({ ...order, known: undefined, resume: false });
  }

  /** What the server gave with the file that is there, if that is the file this recipe would bring. */
  #known(): Validators | undefined {
    const previous = this.#job.previous;
    const { sha256, url } = this.#recipe;
    if (previous?.facts.url !== this.#shown) return undefined;
    if (sha256 !== undefined && previous.outputs[0]?.digest !== digestOf(sha256)) return undefined;
    const { etag, lastModified } = previous.facts;
    // Two URLs that differ in a hidden value look alike; their ETags do not, their dates may.
    const date = secretsIn(url).length === 0 ? lastModified : undefined;
    if (etag === undefined && date === undefined) return undefined;
    return { ...(etag && { etag }), ...(date && { lastModified: date }) };
  }

  #unchanged({ validators }: Arrival): Outcome {
    this.#job.log("not modified\n");
    return { kind: "unchanged", facts: { ...this.#job.previous!.facts, ...this.#harmless(validators) } };
  }

  async #openSink(): Promise<Result<HashedFile>> {
    if (this.#sink) return ok(this.#sink);
    const sink = await HashedFile.create(this.#path);
    if (sink.ok) this.#sink = sink.value;
    return sink;
  }

  /** Ten times a second is as often as a person can read, and keeps it off the hot path. */
  readonly #progress = (done: number, total: number | undefined): void => {
    const now = performance.now();
    if (now - this.#progressAt < 100) return;
    this.#progressAt = now;
    this.#tell(done, total);
  };

  #tell(done: number, total: number | undefined): void {
    this.#job.progress({ phase: "downloading", done, ...(total !== undefined && { total }), unit: "bytes" });
  }

  /** The last word on what is in the sink, whole as it is: is it what the name and the recipe say? */
  async #believe(sink: HashedFile, from: { url: string; validators: Validators }): Promise<Result<Outcome>> {
    const finished = await sink.finish();
    if (!finished.ok) return finished;
    const { digest, head, tail } = finished.value;
    const wrong = contradiction(this.#job.step.outputs[0]!, head, tail);
    if (wrong) return fail(this.#notData(wrong, head, from.url));
    const { sha256 } = this.#recipe;
    if (sha256 !== undefined && digest !== digestOf(sha256))
      return fail({ reason: "digest-mismatch", url: from.url, expected: digestOf(sha256), found: digest });
    this.#tell(sink.length, sink.length);
    const facts = { bytes: sink.length, url: this.#shown, ...this.#harmless(from.validators) };
    return ok({ kind: "made", facts, digests: [digest] });
  }

  readonly #redact = (text: string): string => redactText(text, this.#secrets);

  /** A server may echo a secret anywhere, and these are recorded. */
  #harmless(validators: Validators): Validators {
    const clean = Object.entries(validators).filter(([, value]) => this.#redact(value) === value);
    return Object.fromEntries(clean);
  }

  #notData({ expected, found }: Contradiction, head: Uint8Array, url: string): Failure {
    const content = (magicOf(head) === "gzip" && gunzipHead(head)) || head;
    const text = this.#redact(printable(content));
    return {
      reason: "download-not-data",
      url,
      expected,
      found,
      head: text.slice(0, 200),
    };
  }
}

/** Also in the forms in which a server may repeat them: encoded, or one cookie alone. */
function secretsOf({ url, headers = {} }: DownloadRecipe): readonly string[] {
  const values = Object.values(headers).flatMap((value) => [value, value.replace(/^\S+\s+/, "")]);
  const cookies = values
    .flatMap((value) => value.split(/[;,\s]+/))
    .map((part) => part.replace(/^[^=]*=(?=.)/, ""));
  const web = URL.canParse(url) ? new URL(url) : undefined;
  const own = web && (web.username !== "" || web.password !== "") ? [basic(web).replace("Basic ", "")] : [];
  const plain = [...secretsIn(url), ...values, ...cookies.filter((part) => part.length > 5), ...own];
  return [...new Set(plain.flatMap(shapesOf))];
}

/** As it is, in a query, in a form, in JSON and in a page. */
function shapesOf(secret: string): readonly string[] {
  const query = encodeURIComponent(Buffer.from(secret).toString());
  const page = secret.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const quoted = page.replaceAll('"', "&quot;");
  return [secret, query, query.replaceAll("%20", "+"), JSON.stringify(secret).slice(1, -1), page, quoted];
}

const digestOf = (hex: string): Digest => `sha256:${hex.toLowerCase()}`;
