// Numbers, durations and reasons as a person reads them. Knows nothing of events or streams.
import type { Holder } from "../core/failure.js";
import { absent, type Digest, type RunFacts, unsettled } from "../core/trace.js";
import type { Reason } from "../core/verdict.js";

/** A name or value with its line ends and other control characters written out, so that it stays on its line. */
export const onOneLine = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  text.replace(/[\u0000-\u001f\u007f]/g, (character) => JSON.stringify(character).slice(1, -1));

export const rowsText = (rows: number): string =>
  `${rows.toLocaleString("en-US")} ${rows === 1 ? "row" : "rows"}`;

/** Powers of 1000, as on the disk's label. */
export function bytesText(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function durationText(ms: number): string {
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const seconds = Math.round(ms / 1000);
  const parts =
    seconds < 3600 ? [seconds / 60, seconds % 60] : [seconds / 3600, (seconds / 60) % 60, seconds % 60];
  return parts
    .map((part, i) => (i === 0 ? String(Math.floor(part)) : String(Math.floor(part)).padStart(2, "0")))
    .join(":");
}

export const factsText = ({ rows, bytes, rejects = 0 }: RunFacts): string =>
  [
    ...(rows === undefined ? [] : [rowsText(rows)]),
    ...(bytes === undefined ? [] : [bytesText(bytes)]),
    ...(rejects > 0 ? [`${rejects.toLocaleString("en-US")} set aside`] : []),
  ].join(", ");

/** A digest in short, and the two that are none. */
export function digestText(digest: Digest): string {
  if (digest === absent) return "not there";
  return digest === unsettled ? "unknown" : `${digest.replace(/^sha256:/, "").slice(0, 8)}…`;
}

/** How an input came to differ from what is recorded of it. */
function changeText({ recorded, found }: { readonly recorded: Digest; readonly found: Digest }): string {
  if (found === absent) return "is gone";
  if (recorded === absent) return "is there now";
  return recorded === unsettled ? "changed while its recipe ran" : "changed";
}

/** Between then and now, in the largest unit that fits. */
export function agoText(thenMs: number, nowMs: number): string {
  const seconds = Math.round((nowMs - thenMs) / 1000);
  if (seconds < 0) return "in the future";
  if (seconds < 2) return "just now";
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min ago`;
  return seconds < 172_800
    ? `${Math.floor(seconds / 3600)} h ago`
    : `${Math.floor(seconds / 86_400)} days ago`;
}

export function reasonText(reason: Reason): string {
  switch (reason.why) {
    case "forced":
      return "forced by `-B`";
    case "no-record":
      return "no record of it";
    case "output-missing":
      return `\`${reason.output}\` is not there`;
    case "output-edited":
      return `\`${reason.output}\` was changed by somebody else`;
    case "recipe-changed":
      return partText(reason);
    case "input-added":
      return `\`${reason.input}\` is a new input`;
    case "input-removed":
      return `\`${reason.input}\` is no input any more`;
    case "inputs-reordered":
      return "its inputs come in another order";
    case "input-changed":
      return `\`${reason.input}\` ${changeText(reason)}`;
    case "expired":
      return `last checked ${reason.checkedAt}, longer ago than its \`maxAge\``;
    case "provisional":
      return reason.open ? "its month is still open" : "its month was still open when it was made";
  }
}

/** Texts of a part that are longer together do not fit into a line of 80 characters with a name and what else is in it. */
const longestBeside = 40;

function partText({ part, recorded, found }: Extract<Reason, { why: "recipe-changed" }>): string {
  const sides = [recorded, found].map((text) => (text === undefined ? "(none)" : shortText(text)));
  const isBeside = sides.join("").length <= longestBeside && !sides.some((text) => text.includes("\n"));
  if (isBeside) return onOneLine(`recipe: ${part} ${sides.join(" → ")}`);
  const how = recorded === undefined ? "is new" : found === undefined ? "is gone" : "changed";
  const [, file, name] = /^reaches (\S+) (.+)$/.exec(part) ?? [];
  return onOneLine(
    file === undefined ? `recipe: ${part} ${how}` : `the code of \`${name}\` in ${file} ${how}`,
  );
}

/** A digest in short, another text as it is. */
export const shortText = (text: string): string =>
  /^sha256:[0-9a-f]{64}$/.test(text) ? digestText(text) : text;

/** The first reason, and how many more there are. A record that is missing says more than the output that is missing too. */
export function reasonsText(reasons: readonly Reason[]): string {
  const first = reasons.find(({ why }) => why === "no-record") ?? reasons[0];
  if (!first) return "";
  const others = reasons.length - 1;
  return first.why === "no-record" || others === 0
    ? reasonText(first)
    : `${reasonText(first)}, and ${others} more`;
}

/** `run 3f2a9c01… (pid 4711, host) since 14:03:11`, as far as it is known. */
export function holderText({ run, pid, host, since }: Holder, nowMs: number): string {
  const who = run === undefined ? "another process" : `run ${run.slice(0, 8)}…`;
  const where = [...(pid === undefined ? [] : [`pid ${pid}`]), ...(host === undefined ? [] : [host])];
  const place = where.length > 0 ? ` (${where.join(", ")})` : "";
  return onOneLine(`${who}${place}${since === undefined ? "" : ` since ${clockText(since, nowMs)}`}`);
}

/** The time of day where the reader is; with the date, if that was another day. */
export function clockText(iso: string, nowMs: number): string {
  const then = new Date(iso);
  if (Number.isNaN(then.getTime())) return iso;
  const two = (part: number) => String(part).padStart(2, "0");
  const day = (date: Date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = [then.getHours(), then.getMinutes(), then.getSeconds()].map(two).join(":");
  return day(then) === day(new Date(nowMs)) ? time : `${day(then)} ${time}`;
}

/** The first names of a list, and how many more there are. */
export function someNames(names: readonly string[], most = 5): string {
  // One that is left out would take no more room than saying so.
  const shown = names.length <= most + 1 ? names : names.slice(0, most);
  const rest = names.length - shown.length;
  return `${shown.map(onOneLine).join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}
