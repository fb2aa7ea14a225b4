// Reads what a command says it read: a depfile, in the syntax of Make. Knows nothing of how the command ran or what is recorded.
import { isUtf8 } from "node:buffer";
import { readFile, realpath } from "node:fs/promises";
import { posix } from "node:path";
import { fail, ok, type Result } from "../core/failure.js";
import { redactText } from "../core/redact.js";
import type { Step } from "../core/rule.js";

/** Of a line that is no rule, this much is shown. */
const shownCharacters = 80;

const { dirname, isAbsolute, join, relative, resolve } = posix;

/**
 * The files that the depfile at `path` names, each once: relative to the root (the current directory) where they are in
 * it, absolute where not. Left out are the step's declared inputs, its outputs, and its temporary ones, `staged`.
 * A depfile that is not there, or that Make would not read as nothing but rules, is `bad-depfile`.
 */
export async function readDepfile(
  path: string,
  step: Step,
  staged: readonly string[],
): Promise<Result<readonly string[]>> {
  const bad = badOf(step.id);
  const text = await textOf(path, bad);
  if (!text.ok) return text;
  const named = prerequisitesIn(text.value, step.id);
  if (!named.ok) return named;
  const known = new Set([...step.inputs, ...step.uses, ...step.outputs, ...staged, path]);
  const names = new Set<string>();
  const nameOf = namer();
  for (const prerequisite of named.value) {
    const name = await nameOf(prerequisite);
    if (name === "") return bad(`it names \`${prerequisite}\`, which is the whole project`);
    if (!holds(known, name)) names.add(name);
  }
  return ok([...names]);
}

async function textOf(path: string, bad: Bad): Promise<Result<string>> {
  try {
    const bytes = await readFile(path);
    return isUtf8(bytes) ? ok(bytes.toString()) : bad("it is not UTF-8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return bad("the command did not write it");
    if (code === "EISDIR") return bad("it is a directory");
    if (code === "EACCES" || code === "EIO" || code === "ELOOP")
      return fail({ reason: "io", doing: "read", path, code });
    throw error;
  }
}

type Bad = (problem: string) => Result<never>;

/** Known by its target: its own name is a temporary one. */
const badOf =
  (target: string): Bad =>
  (problem) =>
    fail({ reason: "bad-depfile", path: target, problem });

/** Whether one of these is that name, or a directory that it is in. */
function holds(names: ReadonlySet<string>, name: string): boolean {
  for (let at = name; at !== "." && at !== "/"; at = dirname(at)) if (names.has(at)) return true;
  return false;
}

/**
 * All prerequisites of all rules, read as GNU Make 4.3 does, but for what compilers leave as it is and Make would take for
 * more than a name: `*`, `;`, `|`, `%`, `~`, and a colon inside a name. Where Make would lose a name, this is refused:
 * gcc 12 writes `a\#b` as `a\\#b`, which to Make is `a\` and a comment.
 */
export function prerequisitesIn(text: string, target: string): Result<readonly string[]> {
  const bad = badOf(target);
  const names: string[] = [];
  let rules = 0;
  for (const { line: whole, number } of logicalLines(text)) {
    const [line = ""] = whole.split(comment, 1);
    if (line.trim() === "") continue;
    const colon = line.startsWith("\t") ? null : (spacedColon.exec(line) ?? anyColon.exec(line));
    if (!colon) return bad(`line ${number} is no rule: \`${shown(line)}\``);
    const words = wordsOf(line.slice(colon.index + colon[0].length), number, bad);
    if (!words.ok) return words;
    for (const word of words.value) names.push(word);
    rules++;
  }
  return rules > 0 ? ok(names) : bad("there is no rule in it");
}

const comment = /(?:^|[ \t])#/;
// A colon is what ends the targets, unless a backslash is before it that no other backslash takes.
// gcc leaves a colon in a name as it is, so that one with a blank after it comes first.
const spacedColon = /(?<!\\)(?:\\\\)*:(?=[ \t]|$)/;
const anyColon = /(?<!\\)(?:\\\\)*::?/;

const shown = (line: string): string => redactText(line.trim(), []).slice(0, shownCharacters);

/**
 * Lines with those that they go on in. Of the backslashes before a line's end Make keeps half; an odd one joins it to the
 * next, with one space in the place of all blanks around.
 */
function* logicalLines(text: string): Generator<{ readonly line: string; readonly number: number }> {
  let parts: string[] = [];
  let number = 0;
  const lines = text.split(/\r?\n/);
  for (const [i, raw] of lines.entries()) {
    const goesOn = parts.length > 0;
    if (!goesOn) number = i + 1;
    const body = goesOn ? raw.replace(/^[ \t]+/, "") : raw;
    const backslashes = body.length - body.replace(/\\+$/, "").length;
    if (backslashes % 2 === 0 || i === lines.length - 1) {
      yield { line: parts.join("") + body, number };
      parts = [];
    } else {
      const kept = body.slice(0, body.length - Math.ceil(backslashes / 2)).replace(/[ \t]+$/, "");
      if (kept !== "" || !goesOn) parts.push(kept, " ");
    }
  }
}

/** Backslashes, as many as there are, and what they stand before; or a character that may mean something; or a run of others. */
const token = /(\\+)([ \t#:]?)|\$\$|[ \t]+|[#$]|[^\\$# \t]+/g;

/**
 * The words of a list of names. Before a blank, `#` or `:` a backslash quotes, and backslashes before that are written
 * twice; anywhere else a backslash is a character as any other.
 */
function wordsOf(list: string, line: number, bad: Bad): Result<readonly string[]> {
  const words: string[] = [];
  let word = "";
  const end = () => {
    if (word !== "") words.push(word);
    word = "";
  };
  for (const [text, backslashes = "", next = ""] of list.matchAll(token)) {
    const quotes = backslashes !== "" && next !== "";
    const special = quotes ? (backslashes.length % 2 === 0 && next !== ":" ? next : "") : text;
    if (quotes) word += "\\".repeat(backslashes.length >> 1);
    if (quotes && special === "") word += next;
    else if (special === "$$") word += "$";
    else if (special === "$") return bad(`line ${line} holds a \`$\` that is not written twice`);
    else if (special === "#" && word !== "")
      return bad(`line ${line}: a bare \`#\` after \`${shown(word)}\``);
    else if (special === "#") break;
    else if (/^[ \t]/.test(special)) end();
    else word += special;
  }
  end();
  return ok(words);
}

/**
 * The one name of a file, whatever it is called in a depfile; empty for the root itself. With `..` in it, or from outside
 * the root, its directory's symbolic links are followed: `link/../a` is not `a`, and a shell's `$PWD` may go through a link.
 */
function namer(): (path: string) => Promise<string> {
  const root = resolve(".");
  const inRoot = (path: string) => path === root || path.startsWith(root === "/" ? root : `${root}/`);
  const physical = new Map<string, string | undefined>();
  const real = async (directory: string) => {
    if (!physical.has(directory)) physical.set(directory, await realDirectory(directory));
    return physical.get(directory);
  };
  return async (path) => {
    const lexical = resolve(path);
    const climbs = path.split("/").includes("..");
    if (!climbs && inRoot(lexical)) return relative(root, lexical);
    const whole = isAbsolute(path) ? path : `${root}/${path}`;
    const tail = whole.slice(whole.lastIndexOf("/") + 1);
    const last = [".", ".."].includes(tail) ? "" : tail;
    const directory = await real(whole.slice(0, whole.length - last.length));
    if (directory === undefined) return inRoot(lexical) ? relative(root, lexical) : lexical;
    const found = join(directory, last);
    if (inRoot(found)) return relative(root, found);
    return climbs ? found : lexical;
  };
}

/** Nothing for one that is not there, any more or for us: its name is all that is known. */
async function realDirectory(path: string): Promise<string | undefined> {
  try {
    return await realpath(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR" || code === "EACCES" || code === "ELOOP") return undefined;
    throw error;
  }
}
