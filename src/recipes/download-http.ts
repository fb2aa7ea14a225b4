// Brings a file over http into a sink, again and again until it is whole or hopeless. Knows nothing of requests or of what the bytes mean.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { HashedFile } from "./download-sink.js";
import { type Arrival, type Order, Transfer } from "./download-transfer.js";

const baseMs = 500;
const maxBackoffMs = 30_000;
const maxRetryAfterMs = 60_000;
/** A server that goes on sending is given as many tries again, but not for a few bytes each time. */
const progressBytes = 1024 * 1024;

/**
 * Brings the file. `order.retries` counts tries without progress; a cut after another megabyte starts the count anew.
 *
 *     asking ──200──► from byte 0 ──┐
 *       ▲ └────206──► from byte n ──┤──end──► whole
 *       └──── waiting ◄─────cut─────┘
 *
 * A body that says nothing of its length, so that a cut looks like its end, has to come twice in a row with the same bytes. The second
 * time is no retry. There is no least speed: a server that sends a byte now and then, each within the timeout, is waited for.
 */
export async function fetchHttp(
  order: Order,
  sink: () => Promise<Result<HashedFile>>,
): Promise<Result<Arrival>> {
  const transfer = new Transfer(order, sink);
  let failures = 0;
  let reached = 0;
  for (;;) {
    const ended = await transfer.attempt();
    if (order.signal.aborted) return fail({ reason: "interrupted" });
    if (ended.kind === "arrived") return ok(ended.arrival);
    if (ended.kind === "hopeless") return fail(ended.failure);
    if (ended.kind === "doubtful") {
      order.log("the server does not say how long the file is; fetching it once more, to compare\n");
      continue;
    }
    if (transfer.length >= reached + progressBytes) failures = 0;
    reached = Math.max(reached, transfer.length);
    if (++failures > order.retries) return fail(ended.failure);
    const ms = waitMs(failures, ended.retryAfterMs);
    order.log(
      `${summary(ended.failure)}; trying again in ${(ms / 1000).toFixed(1)} s (${failures} of ${order.retries})\n`,
    );
    await order.wait(ms, order.signal);
    if (order.signal.aborted) return fail({ reason: "interrupted" });
  }
}

/** Doubling, and a random half off so that parallel downloads do not come back all at once. */
function waitMs(failures: number, retryAfter = 0): number {
  const backoff = Math.min(maxBackoffMs, baseMs * 2 ** (failures - 1)) * (0.5 + Math.random() / 2);
  return Math.max(backoff, Math.min(maxRetryAfterMs, retryAfter));
}

function summary(failure: Failure): string {
  if (failure.reason === "download-status")
    return `the server answered ${failure.status} ${failure.statusText}`;
  if (failure.reason === "download-incomplete")
    return `cut after ${failure.receivedBytes} of ${failure.expectedBytes} bytes`;
  return failure.reason === "download-network" ? failure.message : failure.reason;
}
