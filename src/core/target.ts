// What can be named on the command line: a file or a table partition. Knows nothing of rules or of whether the thing exists.
import { fail, ok, type Place, type Result } from "./failure.js";

/**
 * A file of the project, its name relative to the root with `/` and no `.` or `..`, or
 * a table or one partition of it: `table:green_trips/2023-01` is partition `2023-01` of `green_trips`.
 */
export type Target =
  | { readonly kind: "file"; readonly name: string }
  | {
      readonly kind: "table";
      readonly name: string;
      /** The part before a dot, if the name has one. */
      readonly schema: string | undefined;
      readonly table: string;
      /** What stands after the first `/`, or nothing for a whole table. */
      readonly partition: string | undefined;
    };

const tablePrefix = "table:";

export const isTableName = (name: string): boolean => name.startsWith(tablePrefix);

/** Beside an output, while it is made: what was left by a dead run is removed by its name. */
const temporary = /^\..*\.dmake-[0-9a-f]{16}\.[a-z]+$/s;

/** Whether a name, without its folder, is one that dmake gives to its temporary files. */
export const isTemporaryName = (name: string): boolean => temporary.test(name);

/** Reads a name as a person writes it. Refuses files outside the root, and tables with an empty part. */
export function parseTarget(text: string, at?: Place): Result<Target> {
  return isTableName(text) ? parseTable(text, at) : parseFile(text, at);
}

function parseFile(text: string, at?: Place): Result<Target> {
  const name = normalisePath(text);
  if (name === undefined || name === "")
    return fail({ reason: "outside-root", path: text, ...(at && { at }) });
  if (isTableName(name))
    return refuse(text, "a file whose name begins with `table:` cannot be told from a table", at);
  return ok({ kind: "file", name });
}

function parseTable(text: string, at?: Place): Result<Target> {
  const body = text.slice(tablePrefix.length);
  const slash = body.indexOf("/");
  const qualified = slash < 0 ? body : body.slice(0, slash);
  const partition = slash < 0 ? undefined : body.slice(slash + 1);
  const dot = qualified.indexOf(".");
  const schema = dot < 0 ? undefined : qualified.slice(0, dot);
  const table = dot < 0 ? qualified : qualified.slice(dot + 1);
  if (table === "" || schema === "" || partition === "" || table.includes(".")) {
    const problem = "a table is `table:NAME`, `table:SCHEMA.NAME` or `table:NAME/PARTITION`, no part empty";
    return refuse(text, problem, at);
  }
  return ok({ kind: "table", name: text, schema, table, partition });
}

const refuse = (text: string, problem: string, at: Place | undefined): Result<Target> =>
  fail(
    at
      ? { reason: "bad-pattern", pattern: text, problem, at }
      : { reason: "usage", message: `\`${text}\`: ${problem}` },
  );

/**
 * `./a//b/../c` is `a/c`. Answers nothing where the path leaves the root, is absolute or holds NUL.
 * A trailing slash is dropped. Symbolic links are not looked at.
 */
export function normalisePath(path: string): string | undefined {
  if (path.startsWith("/") || path.includes("\0")) return undefined;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

/** The folders above a file, the nearest first: of `a/b/c` they are `a/b` and `a`. Of a table there are none. */
export function* foldersAbove(name: string): Generator<string> {
  if (isTableName(name)) return;
  for (let end = name.lastIndexOf("/"); end > 0; end = name.lastIndexOf("/", end - 1))
    yield name.slice(0, end);
}
