// What one evaluation of a Datafile collects: its rules, parameters and pools, and which handle stands for which rule. Knows nothing of files.
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import type { Warning } from "../core/event.js";
import { type Failure, fail, ok, type Place, type Result } from "../core/failure.js";
import type { Rule } from "../core/rule.js";
import type { Parts } from "../core/trace.js";
import type { Reach, Unseen } from "./reach.js";
import type { RuleHandle } from "./wild.js";

/** A parameter that the Datafile declared, and the value that it got. */
export interface Parameter {
  readonly name: string;
  readonly value: string;
}

/** A pool that the Datafile declared. */
export interface DeclaredPool {
  readonly size: number;
  readonly at: Place;
}

export interface Session {
  /** Values of the command line. */
  readonly given: Readonly<Record<string, string>>;
  /** The project's root, absolute. */
  readonly root: string;
  /** Digest of all code of the project that the Datafile runs. */
  readonly code: string;
  readonly rules: Rule[];
  readonly parameters: Parameter[];
  readonly warnings?: Warning[];
  /** Values that are to be shown and recorded nowhere. */
  readonly secrets?: Set<string>;
  /** By name. */
  readonly pools?: Map<string, DeclaredPool>;
  /** The environment that recipes run in; left out, an empty one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Name → content, of the targets whose content lists values and that are built already. */
  readonly manifests?: ReadonlyMap<string, string>;
  /** What the function given to the call at a place depends on; nothing where that is not known. */
  readonly reach?: (at: Place) => Reach | undefined;
  /** Named parts for the versions of all packages that the code imports: a function of which that is not known may use any. */
  readonly packages?: () => Parts;
  /** Values that come from the world meanwhile: a function of which that is not known may use any of them. */
  readonly world?: readonly Omit<Unseen, "at">[];
}

/**
 * Carries a failure out of the Datafile's evaluation; caught by the loader. Its message is seen where a function of the
 * Datafile does while it runs what only the Datafile can do.
 */
export class DeclarationError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super("problem" in failure ? failure.problem : failure.reason);
    this.failure = failure;
  }
}

export const refuse = (failure: Failure): never => {
  throw new DeclarationError(failure);
};

/** Of a failure, the Datafile's evaluation ends. */
export const take = <T>(result: Result<T>): T => (result.ok ? result.value : refuse(result.error));

let current: Session | undefined;
const rulesByHandle = new WeakMap<object, Rule>();

/** The evaluation that is going on. Declaring outside of one is refused: the rule would belong to nobody. */
export function session(): Session {
  if (!current)
    throw new Error("dmake's functions declare rules, so they only work in a Datafile that dmake loads");
  return current;
}

/** Runs `evaluate` with everything declared meanwhile going to `into`. */
export async function collect<T>(into: Session, evaluate: () => Promise<T>): Promise<Result<T>> {
  current = into;
  try {
    return ok(await evaluate());
  } catch (error) {
    if (error instanceof DeclarationError) return fail(error.failure);
    throw error;
  } finally {
    current = undefined;
  }
}

export const remember = (handle: object, rule: Rule): void => {
  rulesByHandle.set(handle, rule);
};

/** The rule behind a value of the Datafile, if it is a rule's handle. */
export const ruleOf = (value: unknown): Rule | undefined =>
  typeof value === "function" ? rulesByHandle.get(value as RuleHandle) : undefined;

const ownUrl = new URL("..", import.meta.url).href;
const ownFolder = fileURLToPath(ownUrl);

/** Compiled place → what it is in the Datafile. To ask a stack through its source map takes 0.1 ms, and a loop declares 10 000 rules at one place. */
const callers = new Map<string, Place>();

/** The place in the Datafile, or in a module of the project, that called into dmake. Needs source maps to be on. */
export function callerPlace(): Place {
  const compiled = compiledCaller();
  const known = compiled === undefined ? undefined : callers.get(compiled);
  if (known) return known;
  const place = mappedCaller();
  if (compiled !== undefined) callers.set(compiled, place);
  return place;
}

const isOwn = (site: NodeJS.CallSite): boolean => {
  const file = site.getFileName() ?? "";
  return file.startsWith(ownUrl) || file.startsWith(ownFolder);
};

/** As the code that runs says it, before any source map: cheap, and nothing that a person could read. */
function compiledCaller(): string | undefined {
  const { prepareStackTrace } = Error;
  try {
    Error.prepareStackTrace = (_, sites) => {
      const caller = sites.find((site) => /^(file:|\/)/.test(site.getFileName() ?? "") && !isOwn(site));
      return caller && `${caller.getFileName()}:${caller.getLineNumber()}:${caller.getColumnNumber()}`;
    };
    return (new Error("only for its stack") as { stack?: unknown }).stack as string | undefined;
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
}

function mappedCaller(): Place {
  const frames = new Error("only for its stack").stack?.split("\n").slice(1) ?? [];
  for (const frame of frames) {
    const place = placeOf(frame);
    if (place && !place.file.startsWith(ownFolder)) return place;
  }
  return { file: "Datafile.ts", line: 1 };
}

/** The first frame of an error's stack that lies in the project and not in its packages. */
export function userPlace(error: Error, root: string): Place | undefined {
  for (const frame of error.stack?.split("\n").slice(1) ?? []) {
    const place = placeOf(frame);
    if (!place?.file.startsWith(`${root}/`) || place.file.includes("/node_modules/")) continue;
    if (basename(place.file) !== "datafile.mjs") return place;
  }
  return undefined;
}

/** The place that a line of a stack names, its file absolute; nothing where it is inside Node. */
function placeOf(frame: string): Place | undefined {
  const found = /(?:^\s*at |\()(?:async )?((?:file:\/\/)?\/.*):(\d+):(\d+)\)?$/.exec(frame);
  if (!found?.[1]) return undefined;
  const file = found[1].startsWith("file:") ? fileURLToPath(found[1]) : found[1];
  return { file, line: Number(found[2]), column: Number(found[3]) };
}
