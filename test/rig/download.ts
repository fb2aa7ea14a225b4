// Runs the download recipe against a test's server and says what became of it. Knows nothing of single tests.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { TestContext } from "node:test";
import { brotliCompressSync, constants } from "node:zlib";
import type { Failure, Result } from "../../src/core/failure.js";
import type { RunFacts, Trace } from "../../src/core/trace.js";
import type { Outcome } from "../../src/engine/ports.js";
import { createDownload, type runDownload } from "../../src/recipes/download.js";
import { type Desk, type DeskOptions, desk } from "./web.js";

export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** A CSV of so many bytes in which no two places look alike. */
export function csv(length: number): Buffer {
  let text = "id,fare\n";
  for (let row = 0; text.length < length; row++) text += `${row},${(row * 7919) % 1000}.5\n`;
  return Buffer.from(text.slice(0, length));
}

export const brotli = (bytes: Buffer) =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

/** A download whose waits take no time and are noted. */
export function impatient(): { run: typeof runDownload; waits: number[] } {
  const waits: number[] = [];
  const run = createDownload({
    wait: async (ms) => {
      waits.push(ms);
    },
  });
  return { run, waits };
}

export interface Fetched extends Desk {
  readonly result: Result<Outcome>;
  readonly waits: number[];
}

export async function fetchTo(t: TestContext, options: DeskOptions): Promise<Fetched> {
  const { run, waits } = impatient();
  const made = desk(t, options);
  return { ...made, waits, result: await run(made.recipe, made.job) };
}

export function assertMade({ result, written }: Fetched, body: Buffer): RunFacts {
  assert.ok(result.ok, JSON.stringify(result));
  assert.equal(result.value.kind, "made");
  assert.deepEqual(result.value.kind === "made" && result.value.digests, [digestOf(body)]);
  assert.ok(written().equals(body), "the bytes are those of the server");
  assert.equal(result.value.facts.bytes, body.length);
  return result.value.facts;
}

export function failureOf<R extends Failure["reason"]>(
  { result }: Fetched,
  reason: R,
): Extract<Failure, { reason: R }> {
  assert.ok(!result.ok, "it should fail");
  assert.equal(result.error.reason, reason, JSON.stringify(result.error));
  return result.error as Extract<Failure, { reason: R }>;
}

export const traceOf = (facts: RunFacts, digest = "sha256:00"): Trace => ({
  recipe: {},
  inputs: [],
  outputs: [{ name: "trips.csv", digest }],
  attempt: "a",
  startedAt: "2024-01-01T00:00:00Z",
  checkedAt: "2024-01-01T00:00:00Z",
  durationMs: 1,
  facts,
});
