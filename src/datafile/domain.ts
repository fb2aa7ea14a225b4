// Values of wildcards and lengths of time, as a person writes them. Knows nothing of rules.
import type { Place } from "../core/failure.js";
import { shownValue, valueProblem } from "../core/pattern.js";
import { callerPlace, DeclarationError } from "./session.js";

const month = /^(\d{4})-(0[1-9]|1[0-2])$/;

const refuse = (problem: string, help?: string, at: Place = callerPlace()): never => {
  throw new DeclarationError({ reason: "bad-rule", problem, at, ...(help && { help }) });
};

/** A list of values, each once, in order. Refuses what cannot be one; `of` is what the list is called then, `help` what to do. */
export function domainValues(
  values: unknown,
  { of, at, help }: { readonly of: string; readonly at: Place; readonly help?: string },
): readonly string[] {
  if (!Array.isArray(values) || values.length === 0)
    return refuse(`${of} is not a list of at least one text`, undefined, at);
  for (const value of values as readonly unknown[]) {
    const problem = typeof value === "string" ? valueProblem(value) : "is not a text";
    if (problem) refuse(`\`${shownValue(String(value))}\` in ${of} ${problem}`, help, at);
  }
  return [...new Set(values as readonly string[])];
}

/** Lists of months, each with those that are not over. A list that is made from one of them says nothing of that. */
const openIn = new WeakMap<object, readonly string[]>();

/** Those values of a list that are still going on. */
export const openValues = (values: object): readonly string[] => openIn.get(values) ?? [];

/**
 * Months as `YYYY-MM`, both ends included; `now` is the month of `nowMs`, in UTC. Those that end less than `openForMs` ago,
 * or later, are open. Refuses what is no month, and an end before the start.
 */
export function monthsBetween(
  first: string,
  last: string,
  { nowMs, openForMs = 0 }: { readonly nowMs: number; readonly openForMs?: number },
): readonly string[] {
  const now = new Date(nowMs).toISOString().slice(0, 7);
  const [from, to] = [indexOfMonth(first), indexOfMonth(last === "now" ? now : last)];
  if (to < from) refuse(`\`months("${first}", "${last}")\` ends before it begins`);
  const months = Array.from({ length: to - from + 1 }, (_, i) => monthAt(from + i));
  const open = months.filter((_, i) => nowMs < endOfMonth(from + i) + openForMs);
  if (open.length > 0) openIn.set(months, open);
  return months;
}

const endOfMonth = (index: number): number => Date.UTC(Math.floor(index / 12), (index % 12) + 1);

function indexOfMonth(text: string): number {
  const found = month.exec(text);
  return found
    ? Number(found[1]) * 12 + Number(found[2]) - 1
    : refuse(`\`${text}\` is no month`, 'as `months("2021-01", "2021-12")`');
}

const monthAt = (index: number): string =>
  `${String(Math.floor(index / 12)).padStart(4, "0")}-${String((index % 12) + 1).padStart(2, "0")}`;

const units: ReadonlyMap<string, number> = new Map([
  ["ms", 1],
  ...["s", "sec", "second"].map((name) => [name, 1000] as const),
  ...["m", "min", "minute"].map((name) => [name, 60_000] as const),
  ...["h", "hour"].map((name) => [name, 3_600_000] as const),
  ...["d", "day"].map((name) => [name, 86_400_000] as const),
  ...["w", "week"].map((name) => [name, 604_800_000] as const),
]);

/** Milliseconds of `"90 s"`, `"15 minutes"`, `"7d"`, or of a number of milliseconds. */
export function duration(given: string | number): number {
  if (typeof given === "number" && given >= 0) return given;
  const found = /^\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*$/i.exec(String(given));
  const name = found?.[2]?.toLowerCase() ?? "";
  const unit = units.get(name) ?? units.get(name.replace(/s$/, ""));
  return found && unit !== undefined
    ? Number(found[1]) * unit
    : refuse(`\`${given}\` is no length of time`, 'as `"90 s"`, `"15 minutes"`, `"12 h"` or `"7 days"`');
}
