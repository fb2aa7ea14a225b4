// Reads a file of SQL into texts and the values between them: `:name`, `:'name'` and `:"name"`, as psql writes them. Knows nothing of running it.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { SqlName, SqlValue, Statement } from "../core/rule.js";
import { similar } from "../core/similar.js";
import { placeAt } from "../core/statement-place.js";
import { readTokens, type Token } from "./sql-parser.js";

/** What the names in a text stand for. */
export type Named = Readonly<Record<string, SqlValue | SqlName>>;

interface Hole {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** How its value stands there: bound as it is, as a text, or as a quoted name. */
  readonly as: "value" | "text" | "name";
}

/**
 * The statement of a file. A name that nothing is called by is left to Postgres, since `a[1:n]` is a slice; what it says
 * of a misspelt one is told with the names that there are.
 */
export async function statementOfFile(text: string, named: Named, file: string): Promise<Result<Statement>> {
  const tokens = await readTokens(text);
  if ("message" in tokens) {
    const { message, position } = tokens;
    const place = position === undefined ? {} : placeAt(text, [...text].slice(0, position).join("").length);
    return fail({ reason: "sql-error", file, ...place, code: "42601", message });
  }
  const pieces = { texts: [] as string[], values: [] as (SqlValue | SqlName)[], written: [] as string[] };
  let from = 0;
  let before = "";
  for (const { name, start, end, as } of holesIn(tokens)) {
    if (!Object.hasOwn(named, name)) continue;
    const value = named[name] as SqlValue | SqlName;
    before += text.slice(from, start);
    from = end;
    if (as === "name") {
      if (value === null || typeof value === "object") return fail(noName(text, start, { name, file }));
      // Its own length is not that of what was written: later columns of the line are a little off.
      before += `"${String(value).replaceAll('"', '""')}"`;
      continue;
    }
    pieces.texts.push(before);
    before = "";
    pieces.values.push(as === "text" && !isNamed(value) && value !== null ? String(value) : value);
    pieces.written.push(text.slice(start, end));
  }
  return ok({ ...pieces, texts: [...pieces.texts, before + text.slice(from)] });
}

const isNamed = (value: SqlValue | SqlName): value is SqlName => typeof value === "object" && value !== null;

function noName(text: string, start: number, { name, file }: { name: string; file: string }): Failure {
  const message = `\`:"${name}"\` is a name in SQL, and its value is none`;
  return { reason: "sql-error", file, ...placeAt(text, start), code: "42602", message };
}

/** A colon and a name, in quotes or not, with nothing between them. */
function* holesIn(tokens: readonly Token[]): Generator<Hole> {
  for (const [i, { text, start, end }] of tokens.entries()) {
    const next = tokens[i + 1];
    if (text !== ":" || next === undefined || next.start !== end) continue;
    const place = { start, end: next.end };
    if (/^[A-Za-z_]\w*$/.test(next.text)) yield { ...place, name: next.text, as: "value" };
    else if (/^'\w+'$/.test(next.text)) yield { ...place, name: next.text.slice(1, -1), as: "text" };
    else if (/^"\w+"$/.test(next.text)) yield { ...place, name: next.text.slice(1, -1), as: "name" };
  }
}

/** What to say besides of a text that cannot be read: that a name in it is none of those that there are. */
export async function nameHint(text: string, named: Named): Promise<string | undefined> {
  const tokens = await readTokens(text);
  if ("message" in tokens) return undefined;
  const unknown = [...holesIn(tokens)].find(({ name }) => !Object.hasOwn(named, name));
  if (unknown === undefined) return undefined;
  const known = Object.keys(named);
  const [near] = similar(unknown.name, known);
  const others =
    near === undefined
      ? `there is ${known.map((name) => `\`:${name}\``).join(", ")}`
      : `did you mean \`:${near}\`?`;
  return `no value is called \`${unknown.name}\`: ${others}`;
}
