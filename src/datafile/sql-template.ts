// The `$` of SQL recipes: a template whose every value is bound and whose every name is quoted. Knows nothing of running SQL.
import type { SqlName, SqlValue, Statement } from "../core/rule.js";
import { isRelationName } from "../core/target.js";

declare const branded: unique symbol;

/** A table, a partition or a view, as a name in SQL: inputs, the output, and what `$.table` makes. */
export interface SqlTable {
  readonly kind: "sql-table";
  readonly [branded]?: never;
}

/** SQL that `$` made, whole or a piece of it. */
export interface Sql {
  readonly kind: "sql";
  readonly [branded]?: never;
}

/** A value in SQL. A list of values is itself in commas, as `in (${list})` wants it. */
export type SqlWord = SqlValue | SqlTable | Sql | readonly SqlValue[];

/**
 * Puts values into SQL: tables, partitions and views as names, pieces that `$` made as they are, all else as parameters,
 * which are never part of the text. In a view, and among several statements, values are quoted instead.
 */
export interface SqlDollar {
  (texts: TemplateStringsArray, ...values: readonly SqlWord[]): Sql;
  /**
   * A table or view that is no input, as `$.table("zones")`, `$.table("staging.zones")` or `$.table("trips/2023-01")`.
   * What is read of it is no reason to build again: take it `from` where it should be.
   */
  table(name: string): SqlTable;
  /** A name of anything, quoted: of a column, or of a column in a table as `$.name("t", "month")`. */
  name(...parts: readonly [string, ...string[]]): Sql;
  /** Pieces with another between each two: `$.join(inputs.map((one) => $`select * from ${one}`), $` union all `)`. */
  join(pieces: readonly (Sql | SqlValue | SqlTable)[], between: Sql): Sql;
}

/** What handles stand for. Any other object that looks like one, from a parsed file perhaps, is data and never code. */
const tables = new WeakMap<object, SqlName>();
const statements = new WeakMap<object, Statement>();

export const statementOf = (made: unknown): Statement | undefined =>
  typeof made === "object" && made !== null ? statements.get(made) : undefined;

/** The handle of a target. A file is none in SQL: there it is a text, as any value. */
export function sqlTable(target: string): SqlTable {
  if (!isRelationName(target)) return sqlOf({ texts: ["", ""], values: [target] }) as unknown as SqlTable;
  const handle: SqlTable = Object.freeze({
    kind: "sql-table",
    toString: () => {
      throw new Error(`\`${target}\` stands in a text, and not in a \`$\` template, which would quote it`);
    },
  });
  tables.set(handle, { target });
  return handle;
}

function sqlOf(statement: Statement): Sql {
  const handle: Sql = Object.freeze({
    kind: "sql",
    toString: () => {
      throw new Error("SQL that `$` made stands in a text, and not in a `$` template");
    },
  });
  statements.set(handle, statement);
  return handle;
}

/** Collects a statement piece by piece: between each two values there is a text. */
class Pieces {
  readonly texts = [""];
  readonly values: Statement["values"][number][] = [];

  text(text: string): void {
    this.texts.push(this.texts.pop() + text);
  }

  value(value: SqlValue | SqlName): void {
    this.values.push(value);
    this.texts.push("");
  }

  statement({ texts, values }: Statement): void {
    for (const [i, text] of texts.entries()) {
      this.text(text);
      const value = values[i];
      if (value !== undefined) this.value(value);
    }
  }

  word(word: unknown): void {
    const piece = statementOf(word);
    const table = typeof word === "object" && word !== null ? tables.get(word) : undefined;
    if (piece) this.statement(piece);
    else if (table) this.value(table);
    else if (Array.isArray(word)) this.#list(word);
    else this.value(checkedValue(word));
  }

  #list(list: readonly unknown[]): void {
    if (list.length === 0)
      throw new Error("an empty list stands in SQL, where nothing can stand for it: leave out the condition");
    if (list.some((one) => typeof one === "object" && one !== null))
      throw new Error("a list in SQL is of values: put tables and pieces together with `$.join`");
    for (const [i, one] of list.entries()) {
      if (i > 0) this.text(", ");
      this.value(checkedValue(one));
    }
  }
}

/** A value that SQL has; throws for what would become another on its way. */
function checkedValue(value: unknown): SqlValue {
  const problem = sqlValueProblem(value);
  if (problem !== undefined) throw new Error(problem);
  return value as SqlValue;
}

/** Why something is no value of SQL, or nothing. */
export function sqlValueProblem(value: unknown): string | undefined {
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value === "number")
    return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
      ? undefined
      : `\`${value}\` is no exact number: write it as a text, and cast that`;
  if (typeof value === "string") {
    if (value.includes("\0")) return "a text with a NUL character is none in Postgres";
    return /\p{Cs}/u.test(value) ? "a text with half a character is none in Postgres" : undefined;
  }
  const shown = typeof value === "object" ? "an object" : `\`${String(value)}\``;
  return `${shown} stands in SQL, where a text, a number, \`true\`, \`false\`, \`null\`, a list of them, a table or another \`$\` can`;
}

const template = (texts: TemplateStringsArray, ...values: readonly SqlWord[]): Sql => {
  const pieces = new Pieces();
  for (const [i, text] of texts.entries()) {
    checkEscapes(texts.raw[i] ?? "");
    pieces.text(text ?? "");
    if (i < values.length) pieces.word(values[i]);
  }
  return sqlOf(pieces);
};

/**
 * JavaScript takes the backslash of `\d` off, and makes a backspace of `\b`, without a word: the pattern that Postgres
 * would get is another one than was written.
 */
function checkEscapes(raw: string): void {
  const lost = [...raw.matchAll(/\\([\s\S])/g)].find(
    ([, one = ""]) => !/[ntr0xu'"`$\\\n\r{}]/.test(one),
  )?.[0];
  if (lost !== undefined)
    throw new Error(`JavaScript reads \`${lost}\` in a template as something else: write \`\\${lost}\``);
}

const name = (...parts: readonly string[]): Sql => {
  if (parts.length === 0 || parts.some((part) => typeof part !== "string" || part === ""))
    throw new Error('`$.name` takes one text for each part of the name, as `$.name("t", "month")`');
  for (const part of parts) checkedValue(part);
  return sqlOf({ texts: [parts.map((part) => `"${part.replaceAll('"', '""')}"`).join(".")], values: [] });
};

const table = (target: string): SqlTable => {
  if (typeof target !== "string" || target === "")
    throw new Error('`$.table` takes the name of a table, as `$.table("zones")`');
  return sqlTable(/^(table|view):/.test(target) ? target : `table:${target}`);
};

const join = (list: readonly unknown[], between: Sql): Sql => {
  if (!Array.isArray(list) || statementOf(between) === undefined)
    throw new Error("`$.join` takes a list, and what `$` made to stand between");
  if (list.length === 0) throw new Error("`$.join` was given nothing to put together");
  const pieces = new Pieces();
  for (const [i, one] of list.entries()) {
    if (i > 0) pieces.word(between);
    pieces.word(one);
  }
  return sqlOf(pieces);
};

/** Every function has a `name` already, which cannot be assigned to. */
export const sqlDollar = Object.defineProperties(template, {
  table: { value: table },
  name: { value: name },
  join: { value: join },
}) as SqlDollar;
