// What one evaluation of a Datafile collects: its rules, its parameters, and which handle stands for which rule. Knows nothing of files.
import { fileURLToPath } from "node:url";
import { type Failure, fail, ok, type Place, type Result } from "../core/failure.js";
import type { Rule } from "../core/rule.js";
import type { RuleHandle } from "./wild.js";

/** A parameter that the Datafile declared, and the value that it got. */
export interface Parameter {
  readonly name: string;
  readonly value: string;
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
}

/** Carries a failure out of the Datafile's evaluation; caught by the loader, never seen by anybody else. */
export class DeclarationError extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.reason);
    this.failure = failure;
  }
}

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

const ownFolder = fileURLToPath(new URL("..", import.meta.url));

/** The place in the Datafile, or in a module of the project, that called into dmake. Needs source maps to be on. */
export function callerPlace(): Place {
  const frames = new Error("only for its stack").stack?.split("\n").slice(1) ?? [];
  for (const frame of frames) {
    const place = placeOf(frame);
    if (place && !place.file.startsWith(ownFolder)) return place;
  }
  return { file: "Datafile.ts", line: 1 };
}

/** The place that a line of a stack names, its file absolute; nothing where it is inside Node. */
export function placeOf(frame: string): Place | undefined {
  const found = /(?:^\s*at |\()(?:async )?((?:file:\/\/)?\/.*):(\d+):(\d+)\)?$/.exec(frame);
  if (!found?.[1]) return undefined;
  const file = found[1].startsWith("file:") ? fileURLToPath(found[1]) : found[1];
  return { file, line: Number(found[2]), column: Number(found[3]) };
}
