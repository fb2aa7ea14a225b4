// What can be named on the command line: a file or a table partition. Knows nothing of rules or of whether the thing exists.
import { fail, ok, type Place, type Result } from "./failure.js";

/**
 * A file of the project, its name relative to the root with `/` and no `.` or `..`, or
 * a table or one partition of it: `table:green_trips/2023-01` is partition `2023-01` of `green_trips`, or
 * a view: `view:monthly`.
 */
export type Target =
  | { readonly kind: "file"; readonly name: string }
  | {
      /** A view has no partition. */
      readonly kind: "table" | "view";
      readonly name: string;
      /** The part before a dot, if the name has one. */
      readonly schema: string | undefined;
      readonly table: string;
      /** What stands after the first `/`, or nothing for a whole table. */
      readonly partition: string | undefined;
    };

/** What the names of tables and views begin with. */
export const relationPrefixes = { table: "table:", view: "view:" } as const;

const relationKind = (name: string): keyof typeof relationPrefixes | undefined =>
  name.startsWith(relationPrefixes.table)
    ? "table"
    : name.startsWith(relationPrefixes.view)
      ? "view"
      : undefined;

/** Whether a name is that of something in the database. */
export const isRelationName = (name: string): boolean => relationKind(name) !== undefined;

export const isViewName = (name: string): boolean => relationKind(name) === "view";

/** Beside an output, while it is made: what was left by a dead run is removed by its name. */
const temporary = /^\..*\.dmake-[0-9a-f]{16}\.[a-z]+$/s;

/** Whether a name, without its folder, is one that dmake gives to its temporary files. */
export const isTemporaryName = (name: string): boolean => temporary.test(name);

/** Reads a name as a person writes it. Refuses files outside the root, and tables with an empty part. */
export function parseTarget(text: string, at?: Place): Result<Target> {
  const kind = relationKind(text);
  return kind === undefined ? parseFile(text, at) : parseRelation(text, kind, at);
}

function parseFile(text: string, at?: Place): Result<Target> {
  const name = normalisePath(text);
  if (name === undefined || name === "")
    return fail({ reason: "outside-root", path: text, ...(at && { at }) });
  const kind = relationKind(name);
  if (kind !== undefined)
    return refuse(text, `a file whose name begins with \`${kind}:\` cannot be told from a ${kind}`, at);
  return ok({ kind: "file", name });
}

function parseRelation(text: string, kind: keyof typeof relationPrefixes, at?: Place): Result<Target> {
  const body = text.slice(relationPrefixes[kind].length);
  const slash = body.indexOf("/");
  const qualified = slash < 0 ? body : body.slice(0, slash);
  const partition = slash < 0 ? undefined : body.slice(slash + 1);
  const dot = qualified.indexOf(".");
  const schema = dot < 0 ? undefined : qualified.slice(0, dot);
  const table = dot < 0 ? qualified : qualified.slice(dot + 1);
  const isView = kind === "view";
  if (table === "" || schema === "" || partition === "" || table.includes(".") || (isView && slash >= 0)) {
    const problem = isView
      ? "a view is `view:NAME` or `view:SCHEMA.NAME`, no part empty"
      : "a table is `table:NAME`, `table:SCHEMA.NAME` or `table:NAME/PARTITION`, no part empty";
    return refuse(text, problem, at);
  }
  return ok({ kind, name: text, schema, table, partition });
}

const refuse = (text: string, problem: string, at: Place | undefined): Result<Target> =>
  fail(
    at
      ? { reason: "bad-pattern", pattern: text, problem, at }
      : { reason: "usage", message: `\`${text}\`: ${problem}` },
  );

/** A part that is empty, `.` or `..`, or a NUL: few names have one. */
const unusual = /(?:^|\/)\.{0,2}(?:\/|$)|\0/;

/**
 * `./a//b/../c` is `a/c`. Answers nothing where the path leaves the root, is absolute or holds NUL.
 * A trailing slash is dropped. Symbolic links are not looked at.
 */
export function normalisePath(path: string): string | undefined {
  if (!unusual.test(path)) return path;
  if (path.startsWith("/") || path.includes("\0")) return undefined;
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

/** The folder of a file; nothing in the root, and for a table. */
export function folderOf(name: string): string | undefined {
  const end = isRelationName(name) ? -1 : name.lastIndexOf("/");
  return end > 0 ? name.slice(0, end) : undefined;
}

/** The folders above a file, the nearest first: of `a/b/c` they are `a/b` and `a`. Of a table there are none. */
export function* foldersAbove(name: string): Generator<string> {
  if (isRelationName(name)) return;
  for (let end = name.lastIndexOf("/"); end > 0; end = name.lastIndexOf("/", end - 1))
    yield name.slice(0, end);
}
