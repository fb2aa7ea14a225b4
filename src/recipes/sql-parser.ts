// The one door to libpg-query, which is Postgres' own parser: tokens with their places, statements, and what is wrong. Knows nothing of values or of what may run.
import type { Node } from "libpg-query";

export interface Token {
  /** In the text, as JavaScript counts; `end` is behind it. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly kind: "value" | "comment" | "semicolon" | "name" | "text" | "word" | "other";
  /** A word that no table can be called by without quotes. */
  readonly reserved: boolean;
}

export interface Parsed {
  /** Without comments between them. */
  readonly tokens: readonly Token[];
  /** Each with the offset of its first character. */
  readonly statements: readonly { readonly node: Node; readonly start: number }[];
}

/** What Postgres' parser says of a text that it cannot read; `position` counts whole characters from 0. */
export interface SyntaxProblem {
  readonly message: string;
  readonly position: number | undefined;
}

type Library = typeof import("libpg-query");

/** 1.8 MB of WebAssembly: 50 ms, for those who run SQL. */
async function library(): Promise<Library> {
  const room = await import("libpg-query");
  await room.loadModule();
  return room;
}

/** Reads a text into tokens, whether or not they make sense together. */
export async function readTokens(text: string): Promise<readonly Token[] | SyntaxProblem> {
  const { scanSync, parseSync } = await library();
  if (text.includes("\0")) return { message: "a NUL character stands in it", position: undefined };
  if (text.trim() === "") return [];
  const read = guarded(() => scanSync(text));
  if ("message" in read) {
    // Of what is no token, the parser says more, and where.
    const parsed = guarded(() => parseSync(text));
    return "message" in parsed ? parsed : read;
  }
  const at = offsetsIn(text);
  return read.value.tokens.map(({ start, end, tokenName, keywordName }) => {
    const [from, to] = [at(start), at(end)];
    const own = text.slice(from, to);
    return {
      start: from,
      end: to,
      text: own,
      kind: kindOf(tokenName, keywordName, own),
      reserved: keywordName === "RESERVED_KEYWORD" || keywordName === "TYPE_FUNC_NAME_KEYWORD",
    };
  });
}

/** Reads a text into statements. */
export async function readStatements(text: string): Promise<Parsed["statements"] | SyntaxProblem> {
  const { parseSync } = await library();
  if (text.trim() === "") return [];
  const read = guarded(() => parseSync(text));
  if ("message" in read) return read;
  const at = offsetsIn(text);
  return (read.value.stmts ?? []).flatMap(({ stmt, stmt_location = 0 }) =>
    stmt ? [{ node: stmt, start: at(stmt_location) }] : [],
  );
}

function guarded<T>(read: () => T): { readonly value: T } | SyntaxProblem {
  try {
    return { value: read() };
  } catch (error) {
    // What is nested too deeply overflows the stack here, as it would on the server.
    if (error instanceof RangeError) return { message: "it is nested too deeply", position: undefined };
    if (!(error instanceof Error)) throw error;
    const { sqlDetails } = error as Error & { sqlDetails?: { message: string; cursorPosition: number } };
    if (!sqlDetails) return { message: error.message.trim(), position: undefined };
    return { message: sqlDetails.message, position: sqlDetails.cursorPosition };
  }
}

const kinds: Readonly<Record<string, Token["kind"]>> = {
  PARAM: "value",
  SQL_COMMENT: "comment",
  C_COMMENT: "comment",
  ASCII_59: "semicolon",
  IDENT: "name",
  UIDENT: "name",
  SCONST: "text",
};

function kindOf(name: string, keyword: string, text: string): Token["kind"] {
  if (/^u&"/i.test(text)) return "name";
  if (/^u&'/i.test(text)) return "text";
  return kinds[name] ?? (keyword === "NO_KEYWORD" ? "other" : "word");
}

/** From bytes of UTF-8, by which the parser counts, to JavaScript's offsets; asked in any order, quickest in rising. */
function offsetsIn(text: string): (byte: number) => number {
  const bytes = Buffer.from(text);
  if (bytes.length === text.length) return (byte) => byte;
  let known = { byte: 0, offset: 0 };
  return (byte) => {
    if (byte < known.byte) known = { byte: 0, offset: 0 };
    known = { byte, offset: known.offset + bytes.toString("utf8", known.byte, byte).length };
    return known.offset;
  };
}
