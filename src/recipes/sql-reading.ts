// Reads SQL before it runs: one query or statements, where its values stand, and what cannot run in a load's transaction. Knows nothing of any server.
import { type Failure, fail, ok, type Result } from "../core/failure.js";
import type { SqlName, SqlValue, Statement } from "../core/rule.js";
import { placeAt, placeOf, writtenText } from "../core/statement-place.js";
import { type Parsed, readStatements, readTokens, type SyntaxProblem, type Token } from "./sql-parser.js";
import { isOneQuery, refusalOf } from "./sql-statements.js";

/** `query`: one query without a semicolon behind it. `statements`: anything else. */
export interface Read {
  readonly kind: "query" | "statements";
  readonly statement: Statement;
}

/** The text with something for each value that the parser takes for one. */
interface Assembled {
  readonly text: string;
  /** Where each value stands in it. */
  readonly holes: readonly { readonly start: number; readonly end: number }[];
  readonly standIns: readonly string[];
}

/**
 * Refuses what is no SQL, a value where none can stand (in quotes, in the middle of a word), and statements that would
 * end the transaction or cannot run in one. Values in comments are left out.
 */
export async function readSql(given: Statement): Promise<Result<Read>> {
  const first = assemble(given);
  const scanned = await readTokens(first.text);
  if ("message" in scanned) return fail(syntaxError(given, first, scanned));
  const statement = withoutComments(given, first, scanned);
  const assembled = statement === given ? first : assemble(statement);
  const tokens = statement === given ? scanned : await readTokens(assembled.text);
  if ("message" in tokens) return fail(syntaxError(statement, assembled, tokens));
  const misplaced = misplacedValue(statement, assembled, tokens);
  if (misplaced) return fail(misplaced);
  const statements = await readStatements(assembled.text);
  if (!("message" in statements))
    return judged(withAliases(statement, assembled, tokens), { assembled, tokens, statements });
  return (await readQuoted(statement)) ?? fail(syntaxError(statement, assembled, statements));
}

/**
 * Statements in which a value stands where Postgres takes no parameter, as in `COMMENT ON TABLE t IS ${text}`: there, as
 * among all statements, it is quoted. Nothing if that is not what is wrong with them.
 */
async function readQuoted(statement: Statement): Promise<Result<Read> | undefined> {
  const assembled = assemble(statement, (value, i) =>
    typeof value === "string"
      ? "'dmake'"
      : typeof value === "number" && value >= 0
        ? `${value}`
        : `$${i + 1}`,
  );
  const tokens = await readTokens(assembled.text);
  if ("message" in tokens || misplacedValue(statement, assembled, tokens)) return undefined;
  const statements = await readStatements(assembled.text);
  if ("message" in statements) return undefined;
  const read = judged(withAliases(statement, assembled, tokens), { assembled, tokens, statements });
  return read.ok && read.value.kind === "query" ? undefined : read;
}

function judged(
  statement: Statement,
  { assembled, tokens, statements }: Parsed & { readonly assembled: Assembled },
): Result<Read> {
  if (statements.length === 0)
    return fail({ reason: "sql-error", code: "42601", message: "there is no statement in it" });
  for (const { node, start } of statements) {
    const refusal = refusalOf(node);
    if (refusal) return fail({ ...placed(statement, assembled, skipSpace(tokens, start)), ...refusal });
  }
  if (!isOneQuery(statements.map(({ node }) => node))) return ok({ kind: "statements", statement });
  const holes = new Set(assembled.holes.map(({ start }) => start));
  const own = tokens.find(({ kind, start }) => kind === "value" && !holes.has(start));
  if (own) {
    const message = `\`${own.text}\` is a parameter, and those are dmake's here: put a value there`;
    return fail({ ...placed(statement, assembled, own.start), code: "42P02", message });
  }
  return ok({ kind: "query", statement: withoutSemicolons(statement, assembled, tokens) });
}

const isName = (value: Statement["values"][number] | undefined): value is SqlName =>
  typeof value === "object" && value !== null;

function assemble(
  { texts, values }: Statement,
  standInOf = (_value: SqlValue, i: number): string => `$${i + 1}`,
): Assembled {
  const holes: { start: number; end: number }[] = [];
  const standIns = values.map((value, i) => (isName(value) ? `dmake_${i + 1}` : standInOf(value, i)));
  let text = "";
  for (const [i, piece] of texts.entries()) {
    text += piece;
    const standIn = standIns[i];
    if (standIn === undefined) continue;
    holes.push({ start: text.length, end: text.length + standIn.length });
    text += standIn;
  }
  return { text, holes, standIns };
}

/** A value in a comment is no value: what is bound and nowhere used is an error to Postgres. */
function withoutComments(given: Statement, { holes }: Assembled, tokens: readonly Token[]): Statement {
  const comments = tokens.filter(({ kind }) => kind === "comment");
  const inside = holes.map(({ start, end }) => comments.some((one) => one.start <= start && end <= one.end));
  if (!inside.includes(true)) return given;
  const texts = [given.texts[0] ?? ""];
  const values: Statement["values"][number][] = [];
  const written: string[] = [];
  for (const [i, value] of given.values.entries()) {
    const after = given.texts[i + 1] ?? "";
    const name = given.written?.[i] ?? "${…}";
    if (inside[i]) texts.push(texts.pop() + name + after);
    else {
      values.push(value);
      written.push(name);
      texts.push(after);
    }
  }
  return { texts, values, written };
}

/** Each value has to be a token of its own: where it is not, it would be a piece of a text or of a name. */
function misplacedValue(
  statement: Statement,
  assembled: Assembled,
  tokens: readonly Token[],
): Failure | undefined {
  const byStart = new Map(tokens.map((token) => [token.start, token]));
  for (const [i, { start, end }] of assembled.holes.entries()) {
    const token = byStart.get(start);
    if (token?.end === end && (isName(statement.values[i]) ? token.kind === "name" : true)) continue;
    const around = tokens.find((one) => one.start <= start && end <= one.end);
    const where = around?.kind === "text" ? "in quotes" : "in the middle of a word";
    const help =
      where === "in quotes"
        ? "leave out those quotes, or put texts together by `||`"
        : "put a space or an operator between";
    const message = `a value stands ${where}, where it would be no value of its own`;
    return { ...placed(statement, assembled, start), code: "42601", message, hint: help };
  }
  return undefined;
}

const afterWhich = /^(from|join|using|only|,)$/i;

/** Notes of each name whether its rows are read there without a name being given to them. */
function withAliases(statement: Statement, { holes }: Assembled, all: readonly Token[]): Statement {
  if (!statement.values.some(isName)) return statement;
  const tokens = all.filter(({ kind }) => kind !== "comment");
  const values = statement.values.map((value, i) => {
    if (!isName(value)) return value;
    const at = tokens.findIndex(({ start }) => start === holes[i]?.start);
    const next = tokens[at + 1];
    const hasName =
      next !== undefined &&
      (/^as$/i.test(next.text) || next.kind === "name" || (next.kind === "word" && !next.reserved));
    const isRead = afterWhich.test(tokens[at - 1]?.text ?? "");
    return isRead && !hasName ? { ...value, unnamed: true as const } : value;
  });
  return { ...statement, values };
}

/** One query stands within other SQL: spaces, so that all places stay what they are. */
function withoutSemicolons(statement: Statement, { holes }: Assembled, tokens: readonly Token[]): Statement {
  const starts = [0, ...holes.map(({ end }) => end)];
  const texts = [...statement.texts];
  for (const { start } of tokens.filter(({ kind }) => kind === "semicolon")) {
    const i = starts.findLastIndex((from) => from <= start);
    const text = texts[i] ?? "";
    const at = start - (starts[i] ?? 0);
    texts[i] = `${text.slice(0, at)} ${text.slice(at + 1)}`;
  }
  return { ...statement, texts };
}

/** A statement begins at its first word, not at the end of the one before. */
const skipSpace = (tokens: readonly Token[], start: number): number =>
  tokens.find((token) => token.start >= start && token.kind !== "comment" && token.kind !== "semicolon")
    ?.start ?? start;

/** The place of an offset in the assembled text. */
function placed(statement: Statement, { text, standIns }: Assembled, offset: number) {
  const position = [...text.slice(0, offset)].length;
  return { reason: "sql-error", ...placeOf(statement, standIns, position) } as const;
}

function syntaxError(statement: Statement, assembled: Assembled, problem: SyntaxProblem): Failure {
  const { message, position } = problem;
  const said = message.replaceAll(/"(?:\$|dmake_)(\d+)"/g, (whole, n: string) =>
    Number(n) <= statement.values.length ? `"${statement.written?.[Number(n) - 1] ?? "${…}"}"` : whole,
  );
  const place =
    position === undefined
      ? {}
      : position >= [...assembled.text].length
        ? placeAt(writtenText(statement), writtenText(statement).trimEnd().length)
        : placeOf(statement, assembled.standIns, position);
  return { reason: "sql-error", ...place, code: "42601", message: said };
}
