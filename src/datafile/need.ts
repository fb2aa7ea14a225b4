// `need` as functions of the Datafile call it: names as people write them in, paths out. Knows nothing of how they are brought up to date.
import type { ScriptContext } from "../core/rule.js";
import { isRelationName, parseTarget } from "../core/target.js";
import { quotePath } from "./shell.js";

/** Throws at once for what cannot be needed, where it was called: a mistake of the function, told as any other. */
export const needing =
  (need: ScriptContext["need"]) =>
  (...names: readonly unknown[]): Promise<readonly string[]> => {
    const needed = names.map(nameOf);
    return new Needed(need(needed), needed.filter((name) => !isRelationName(name)).map(quotePath));
  };

function nameOf(name: unknown): string {
  if (typeof name !== "string") throw new TypeError(`\`need\` takes names, and not \`${String(name)}\``);
  const target = parseTarget(name);
  if (target.ok) return target.value.name;
  throw new Error(
    target.error.reason === "usage"
      ? target.error.message
      : `\`${name}\` is not in the project, and nothing else can be needed`,
  );
}

/** Waits for `done` only when somebody waits for it: whoever runs the function can tell it then that it did not wait. */
class Needed implements Promise<readonly string[]> {
  readonly [Symbol.toStringTag] = "Promise";
  readonly #done: Promise<void>;
  readonly #paths: readonly string[];

  constructor(done: Promise<void>, paths: readonly string[]) {
    this.#done = done;
    this.#paths = paths;
  }

  // biome-ignore lint/suspicious/noThenProperty: a promise has one.
  get then(): Promise<readonly string[]>["then"] {
    return (onDone, onFailed) => this.#done.then(() => this.#paths).then(onDone, onFailed);
  }

  get catch(): Promise<readonly string[]>["catch"] {
    return (onFailed) => this.then(undefined, onFailed);
  }

  get finally(): Promise<readonly string[]>["finally"] {
    return (onEnd) => this.then().finally(onEnd);
  }
}
