// How long a recipe may take and how often it is tried, as a rule says it. Knows nothing of running, or of what a download means by the same words.
import type { Place } from "../core/failure.js";
import { longestPauseMs } from "../core/retry.js";
import type { Retries, Rule } from "../core/rule.js";
import { similar } from "../core/similar.js";
import { duration } from "./domain.js";
import { refuse } from "./session.js";

/** A timer of Node takes no more, and rings at once: 24 days. */
const longestTimeoutMs = 2 ** 31 - 1;
const usualPauseMs = 1000;

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

/** What a rule says of it, checked. */
export function patienceOf(
  { timeout, retries }: { readonly timeout?: unknown; readonly retries?: unknown },
  at: Place,
): Pick<Rule, "timeoutMs" | "retries"> {
  const timeoutMs = timeout === undefined ? undefined : timeoutOf(timeout, at);
  const again = retries === undefined ? undefined : retriesOf(retries, at);
  return {
    ...(timeoutMs !== undefined && { timeoutMs }),
    ...(again && again.times > 0 && { retries: again }),
  };
}

function timeoutOf(timeout: unknown, at: Place): number {
  const ms = duration(timeout as string | number);
  if (ms > 0 && ms <= longestTimeoutMs) return ms;
  const problem = ms > 0 ? "`timeout` is at most 24 days" : "`timeout` leaves no time at all";
  const help = "leave it out, and a recipe may take as long as it likes";
  return refuse({ reason: "bad-rule", problem, at, help });
}

function retriesOf(retries: unknown, at: Place): Retries {
  const help = 'retries: 3, or retries: { times: 3, pause: "5 s" }';
  const bad = (problem: string): never => refuse({ reason: "bad-rule", problem, at, help });
  if (typeof retries !== "object" || retries === null)
    return isWhole(retries)
      ? { times: retries, pauseMs: usualPauseMs }
      : bad(`\`retries\` is a whole number from 0, and not \`${String(retries)}\``);
  const { times, pause, ...others } = retries as Readonly<Record<string, unknown>>;
  const [other] = Object.keys(others);
  if (other !== undefined) {
    const [near] = similar(other, ["times", "pause"]);
    bad(`\`retries\` has no \`${other}\`${near === undefined ? "" : `: did you mean \`${near}\`?`}`);
  }
  if (!isWhole(times))
    return bad(`\`times\` of \`retries\` is a whole number from 0, and not \`${String(times)}\``);
  const pauseMs = pause === undefined ? usualPauseMs : duration(pause as string | number);
  return pauseMs <= longestPauseMs
    ? { times, pauseMs }
    : bad("`pause` of `retries` is at most a minute, which is the longest that is waited");
}

/** Of a download. */
export function downloadRetries(retries: unknown, at: Place): number {
  if (isWhole(retries)) return retries;
  const problem =
    typeof retries === "object" && retries !== null
      ? "`retries` of a download is a number: how long it waits between its tries is for the server to say"
      : `\`retries\` is a whole number from 0, and not \`${String(retries)}\``;
  return refuse({ reason: "bad-rule", problem, at, help: "retries: 5" });
}
