// Says how a part of a recipe differs from what is recorded of it. Knows nothing of verdicts.
import { diffLines } from "./diff-lines.js";
import type { Row } from "./rows.js";
import { onOneLine, shortText } from "./words.js";

export interface Telling {
  readonly nowMs: number;
  readonly coloured: boolean;
}

/** Prefix of a part's name → what it is. */
const kindsOfParts: Readonly<Record<string, string>> = {
  env: "env",
  columns: "column",
  csv: "csv",
  rename: "rename",
  table: "table",
  parameter: "param",
  values: "value",
  wildcard: "wildcard",
};
const recipeParts = new Set([
  ...["kind", "command", "function", "version", "uses", "directories"],
  ...["sql", "strategy", "contract", "maxRejects", "key", "partitionColumn"],
]);

/** `columns.fee` is the column `fee`; `reaches lib/clean.ts tidy` is code that a function reaches. */
function partName(part: string): Pick<Row, "kind" | "name"> {
  const dot = part.indexOf(".");
  const kind = dot > 0 ? kindsOfParts[part.slice(0, dot)] : undefined;
  if (kind !== undefined) return { kind, name: part.slice(dot + 1) };
  if (part.startsWith("reaches ")) return { kind: "code", name: part.slice("reaches ".length) };
  if (part.startsWith("imports ")) return { kind: "import", name: part.slice("imports ".length) };
  return { kind: recipeParts.has(part) ? "recipe" : "param", name: part };
}

/** Where one side is absent, the part is new or gone. */
interface Changed {
  readonly part: string;
  readonly recorded?: string;
  readonly found?: string;
}

/** Two texts that are longer together do not fit side by side. */
const longestBeside = 60;

export function partRow(reason: Changed, telling: Telling): Row {
  const { recorded, found } = reason;
  const name = partName(reason.part);
  const [before, now] = [recorded, found].map((text) => text !== undefined && shortText(text));
  const texts = [before, now].filter((text) => typeof text === "string");
  const isBeside = texts.join("").length <= longestBeside && !texts.some((text) => text.includes("\n"));
  if (isBeside)
    return { ...name, said: `${before === false ? "(none)" : before} → ${now === false ? "(none)" : now}` };
  const said = recorded === undefined ? "is new" : found === undefined ? "is gone" : "";
  const below =
    recorded === undefined || found === undefined
      ? marked(
          (recorded ?? found ?? "")
            .trimEnd()
            .split("\n")
            .map((line) => `${found === undefined ? "-" : "+"}${line}`),
          telling,
        )
      : diffOf(recorded, found, telling);
  return { ...name, said, below };
}

export const diffOf = (recorded: string, found: string, telling: Telling): readonly string[] =>
  marked(diffLines(recorded, found), telling);

/** What goes in red, what comes in green, and everything with its control characters written out. */
const marked = (lines: readonly string[], { coloured }: Telling): readonly string[] =>
  lines.map((line) => {
    const text = line.split("\t").map(onOneLine).join("\t");
    const colour = line.startsWith("-") ? 31 : line.startsWith("+") ? 32 : undefined;
    return coloured && colour !== undefined ? `\x1b[${colour}m${text}\x1b[0m` : text;
  });
