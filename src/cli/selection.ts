// Keeps what the last build was asked for in `.dmake/selection.json`, so that it can be gone on with. Knows nothing of what a build does.
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fail, ok, type Result } from "../core/failure.js";
import { isSecretName, redactText } from "../core/redact.js";

/** The list of one build. */
export interface Selection {
  readonly version: typeof selectionVersion;
  /** Relative to the root. */
  readonly datafile: string;
  /** As they were given, for people; and for a list that was not known yet. */
  readonly words: readonly string[];
  /** What they stood for, in the order in which it was wanted. Left out where a list had to be made first, and was not. */
  readonly names?: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
  /** Names of the parameters that are kept nowhere. */
  readonly secrets: readonly string[];
  readonly keepGoing: boolean;
  readonly forced: boolean;
  readonly jobs?: number;
  readonly load?: number;
  /** The run that began the list, and those that have gone on with it since. */
  readonly runs: readonly string[];
  /** ISO 8601, UTC. */
  readonly startedAt: string;
}

export const selectionVersion = 1;

const pathIn = (directory: string): string => join(directory, "selection.json");

/**
 * Keeps a selection in place of the one before, whole or not at all. A disk that refuses takes the old one with it, as far
 * as it can: to go on with another list than the last would be worse than with none.
 */
export function keepSelection(directory: string, selection: Selection, run: string): void {
  const path = pathIn(directory);
  // Runs of one project at the same time each write their own, and the last wins.
  const temporary = join(directory, `${prefix}${run}.tmp`);
  try {
    mkdirSync(directory, { recursive: true });
    sweep(directory);
    writeFileSync(temporary, `${JSON.stringify(selection)}\n`);
    renameSync(temporary, path);
  } catch {
    for (const name of [temporary, path]) forget(name);
  }
}

const prefix = ".selection.json.dmake-";
/** Nobody takes so long to write one: whoever began it was killed. */
const abandonedMs = 60_000;

function sweep(directory: string): void {
  for (const name of readdirSync(directory)) {
    if (!name.startsWith(prefix)) continue;
    const path = join(directory, name);
    const there = statSync(path, { throwIfNoEntry: false });
    if (there && Date.now() - there.mtimeMs > abandonedMs) forget(path);
  }
}

function forget(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // A read-only disk.
  }
}

/** The selection of the last build. */
export function readSelection(directory: string): Result<Selection> {
  const path = pathIn(directory);
  const help = "name the targets again: `dmake TARGET…`";
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") return fail({ reason: "io", doing: "read", path, code });
    return fail({ reason: "usage", message: "no build of this project is there to go on with", help });
  }
  const found = parsed(text);
  if (isSelection(found)) return ok(found);
  const isNewer =
    typeof found === "object" && found !== null && "version" in found && found.version !== selectionVersion;
  const problem = isNewer ? "is of another version of dmake" : "cannot be read";
  return fail({ reason: "usage", message: `\`${path}\` ${problem}`, help });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Somebody may have edited it. */
function isSelection(found: unknown): found is Selection {
  if (typeof found !== "object" || found === null) return false;
  const {
    version: of,
    datafile,
    words,
    names,
    parameters,
    secrets,
    runs,
    startedAt,
  } = found as Partial<Selection>;
  return (
    of === selectionVersion &&
    [datafile, startedAt].every((text) => typeof text === "string") &&
    [words, names ?? [], secrets, runs].every(areTexts) &&
    typeof parameters === "object" &&
    areTexts(Object.values(parameters ?? {}))
  );
}

const areTexts = (list: unknown): boolean =>
  Array.isArray(list) && list.every((one: unknown) => typeof one === "string");

/** Parameters without the secret ones, and the names of these: what the Datafile keeps secret, or what looks like one. */
export function withoutSecrets(
  parameters: Readonly<Record<string, string>>,
  secrets: ReadonlySet<string>,
): Pick<Selection, "parameters" | "secrets"> {
  const isSecret = ([name, value]: readonly [string, string]) =>
    isSecretName(name) ||
    redactText(value, []) !== value ||
    [...secrets].some((secret) => secret !== "" && value.includes(secret));
  const all = Object.entries(parameters);
  return {
    parameters: Object.fromEntries(all.filter((one) => !isSecret(one))),
    secrets: all.filter(isSecret).map(([name]) => name),
  };
}
