// Says in words why a target stands as it does. Knows nothing of how that was found out, or of streams.
import { absent, type Because, type RunFacts, unsettled } from "../core/trace.js";
import type { Reason } from "../core/verdict.js";
import { shellWord } from "../core/word.js";
import type { Cause, Compared, Explained, Explanation, OpenInput } from "./explain.js";
import { diffOf, partRow, type Telling } from "./explain-part.js";
import { type Row, table } from "./rows.js";
import { agoText, digestText, durationText, factsText, onOneLine, reasonText } from "./words.js";

/** One target in full: a heading, and below it what was compared. */
export function explanationText(one: Explanation, telling: Telling): string {
  switch (one.why) {
    case "source": {
      const rows = one.modifiedAt === undefined ? [] : [modifiedRow(one.modifiedAt, telling)];
      return [`source: ${onOneLine(one.target)}`, "  no rule makes it", ...table(rows)].join("\n");
    }
    case "stale": {
      const rows = one.reasons.map((reason) => reasonRow(reason, telling));
      return [heading("stale", one), ...table([...rows, ...openRows(one.open)]), ...adoptHelp(one)].join(
        "\n",
      );
    }
    case "may-run": {
      const compared = "nothing else differs from what is recorded:";
      return [heading("may run", one), ...table(openRows(one.open)), `  ${compared} ${countsText(one)}`].join(
        "\n",
      );
    }
    case "fresh":
      return [heading("fresh", one), ...table([...comparedRows(one), ...madeRows(one, telling)])].join("\n");
  }
}

/** One target in one line, where it is one of many. */
export function explanationLine(
  one: Extract<Explanation, { why: "fresh" | "source" }>,
  { nowMs }: Telling,
): string {
  if (one.why === "source") return `source: ${onOneLine(one.target)}  no rule makes it`;
  const { made } = one;
  return made ? `${heading("fresh", one)}  made ${agoText(madeAt(made), nowMs)}` : heading("fresh", one);
}

const heading = (
  state: string,
  { target, step }: { readonly target: string; readonly step: string },
): string => `${state}: ${onOneLine(target)}${target === step ? "" : ` (made with \`${onOneLine(step)}\`)`}`;

function reasonRow({ reason, role = "input", cause }: Explained, telling: Telling): Row {
  const note = cause && `(${causeText(cause, telling)})`;
  switch (reason.why) {
    case "forced":
      return { kind: "forced", name: "by `-B`" };
    case "no-record":
      return { kind: "record", name: "none: what dmake did not make, it does not trust" };
    case "output-missing":
      return { kind: role, name: reason.output, said: "is not there" };
    case "output-edited": {
      const said = `${digestText(reason.recorded)} → ${digestText(reason.found)}`;
      return {
        kind: role,
        name: reason.output,
        said,
        note: `(changed by somebody else${cause ? `, ${causeText(cause, telling)}` : ""})`,
      };
    }
    case "recipe-changed":
      return partRow(reason, telling);
    case "input-added":
      return { kind: role, name: reason.input, said: "is new" };
    case "input-removed":
      return { kind: role, name: reason.input, said: "is no input any more" };
    case "inputs-reordered":
      return {
        kind: "inputs",
        name: "in another order",
        below: diffOf(reason.recorded.join("\n"), reason.found.join("\n"), telling),
      };
    case "input-changed":
      return { kind: role, name: reason.input, said: changeText(reason), ...(note && { note }) };
    case "expired": {
      const said = `asked ${agoText(Date.parse(reason.checkedAt), telling.nowMs)}, to be asked every ${durationText(reason.maxAgeMs)}`;
      return { kind: "age", name: "maxAge", said };
    }
    case "provisional":
      return {
        kind: "open",
        name: reason.open
          ? "its month is still open: what it is made of may grow, so it is asked for every time"
          : "its month was still open when it was made, and is not any more",
      };
  }
}

function changeText({ recorded, found }: Extract<Reason, { why: "input-changed" }>): string {
  if (recorded === unsettled) return `changed while the recipe ran, now ${digestText(found)}`;
  if (found === absent) return `${digestText(recorded)} → is gone`;
  return recorded === absent
    ? `was not there → ${digestText(found)}`
    : `${digestText(recorded)} → ${digestText(found)}`;
}

function causeText(cause: Cause, { nowMs }: Telling): string {
  switch (cause.kind) {
    case "modified":
      return `modified ${agoText(Date.parse(cause.at), nowMs)}`;
    case "remade": {
      const because = cause.because.map(becauseText).join(", ");
      return `rebuilt ${agoText(Date.parse(cause.at), nowMs)}${because === "" ? "" : `: ${because}`}`;
    }
    case "stale":
    case "may-run":
      return cause.step;
  }
}

/** Why something ran, as its record says. */
function becauseText({ why, about }: Because): string {
  const name = about === undefined ? "" : `\`${onOneLine(about)}\``;
  const words: Readonly<Record<string, string>> = {
    forced: "it was forced",
    "no-record": "there was no record of it",
    "output-missing": `${name} was not there`,
    "output-edited": `${name} was changed by somebody else`,
    "recipe-changed": `its recipe changed: ${name}`,
    "input-added": `${name} came`,
    "input-removed": `${name} went`,
    "inputs-reordered": "its inputs came in another order",
    "input-changed": `${name} changed`,
    expired: "its `maxAge` was over",
    provisional: "its month was still open",
    adopted: "somebody vouched for it",
  };
  return words[why] ?? why;
}

/** More reasons than this of something further up are for its own `why`. */
const mostNested = 5;

const openRows = (open: readonly OpenInput[]): Row[] =>
  open.map(({ input, cause }) => {
    if (cause.kind !== "stale") return { kind: "input", name: input, said: "may change: it may run" };
    const reasons = cause.reasons.slice(0, mostNested).map(reasonText);
    const more = cause.reasons.length - reasons.length;
    const below =
      more > 0 ? [...reasons, `and ${more} more: \`dmake why ${shellWord(cause.step)}\``] : reasons;
    return { kind: "input", name: input, said: "may change: it is stale itself", below };
  });

function adoptHelp({ reasons, there, step }: Extract<Explanation, { why: "stale" }>): string[] {
  const isUnknown = reasons.some(({ reason }) => reason.why === "no-record");
  const isMissing = reasons.some(({ reason }) => reason.why === "output-missing");
  return isUnknown && !isMissing && there.length > 0
    ? [`help: if it is right as it is: \`dmake adopt ${shellWord(step)}\``]
    : [];
}

function countsText({ parts, names }: Compared): string {
  const count = (n: number, one: string, many: string) => `${n} ${n === 1 ? one : many}`;
  const of = (role: string) => names.filter((name) => name.role === role).length;
  const inputs = names.length - of("output");
  return `${count(parts.length, "part", "parts")} of its recipe, ${count(inputs, "input", "inputs")}, ${count(of("output"), "output", "outputs")}`;
}

const comparedRows = ({ parts, names }: Compared): Row[] => [
  {
    kind: "recipe",
    name: `${parts.length} ${parts.length === 1 ? "part" : "parts"} as recorded: ${parts.join(", ")}`,
  },
  ...names.map(({ name, digest, role }) => ({ kind: role, name, said: digestText(digest) })),
];

type Made = NonNullable<Extract<Explanation, { why: "fresh" }>["made"]>;

const madeAt = ({ startedAt, durationMs }: Made): number => Date.parse(startedAt) + durationMs;

function madeRows({ made }: Extract<Explanation, { why: "fresh" }>, { nowMs }: Telling): Row[] {
  if (!made) return [];
  const facts = [
    durationText(made.durationMs),
    ...(factsText(made.facts) === "" ? [] : [factsText(made.facts)]),
  ];
  const because = (made.because ?? []).map(becauseText);
  return [
    {
      kind: "made",
      name: `${clockText(madeAt(made))} (${agoText(madeAt(made), nowMs)}) in ${facts.join(", ")}`,
    },
    ...(because.length > 0 ? [{ kind: "because", name: because.join(", ") }] : []),
    ...sourceRows(made.facts),
    ...(Date.parse(made.checkedAt) < madeAt(made) + 1000
      ? []
      : [
          {
            kind: "checked",
            name: `${clockText(Date.parse(made.checkedAt))} (${agoText(Date.parse(made.checkedAt), nowMs)})`,
          },
        ]),
    ...(made.provisional ? [{ kind: "open", name: "its month was still open: it may grow" }] : []),
    { kind: "run", name: made.attempt },
  ];
}

const sourceRows = ({ url, etag }: RunFacts): Row[] => [
  ...(url === undefined ? [] : [{ kind: "from", name: url }]),
  ...(etag === undefined ? [] : [{ kind: "etag", name: etag }]),
];

const clockText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;

const modifiedRow = (at: string, { nowMs }: Telling): Row => ({
  kind: "modified",
  name: `${clockText(Date.parse(at))} (${agoText(Date.parse(at), nowMs)})`,
});
