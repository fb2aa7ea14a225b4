// The form in which reaches are kept with the compiled Datafile: checked when it is read back, unfolded when it is asked. Knows nothing of files.
import type { Place } from "../core/failure.js";
import type { Reach, Unseen } from "./reach.js";
import type { Looked } from "./reach-package.js";

/** Functions share most of what they reach, so each part is kept once: 35 kB and not 64 for 30 functions over 30 modules. */
export interface Kept {
  readonly parts: readonly (readonly [name: string, text: string])[];
  /** By the place of the call of `script`; `parts` are positions in the list above. */
  readonly reaches: Readonly<Record<string, Omit<Reach, "parts"> & { readonly parts: readonly number[] }>>;
  /** What was looked at for the versions of packages. */
  readonly looked: readonly Looked[];
  /** The packages that the project's code imports: a function that is not among the above may use any. */
  readonly packages: readonly string[];
  /** All values that come from the world while the Datafile is evaluated, with the same reason. */
  readonly world: readonly Omit<Unseen, "at">[];
}

const keyOf = ({ file, line, column }: Place): string => `${file}:${line}:${column}`;

export function kept(
  found: Iterable<readonly [Place, Reach]>,
  others: Pick<Kept, "looked" | "packages" | "world">,
): Kept {
  const positions = new Map<string, number>();
  const parts: [string, string][] = [];
  const reaches: Record<string, Kept["reaches"][string]> = {};
  const position = (part: [string, string]): number => {
    const key = JSON.stringify(part);
    const known = positions.get(key) ?? parts.push(part) - 1;
    positions.set(key, known);
    return known;
  };
  for (const [at, reach] of found)
    reaches[keyOf(at)] = { ...reach, parts: Object.entries(reach.parts).map(position) };
  return { parts, reaches, ...others };
}

/** What the function reaches whose call is at a place; nothing where that is not known. */
export function reachAt({ parts, reaches }: Kept, at: Place): Reach | undefined {
  const key = keyOf(at);
  const found = Object.hasOwn(reaches, key) ? reaches[key] : undefined;
  return found && { ...found, parts: Object.fromEntries(found.parts.map((i) => parts[i] ?? [])) };
}

/** Whether a value read from JSON has the form of what was kept: a torn or foreign one is not believed. */
export function isKept(value: { readonly [K in keyof Kept]?: unknown }): value is Kept {
  const { parts, reaches, looked, packages, world } = value;
  if (!Array.isArray(parts) || !parts.every((one) => areTexts(one) && one.length === 2)) return false;
  if (!areTexts(packages)) return false;
  if (!isObject(reaches) || !Array.isArray(looked) || !Array.isArray(world) || !world.every(isUnseen))
    return false;
  return Object.values(reaches).every((one) => isReach(one, parts.length)) && looked.every(isLooked);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isText = (value: unknown): value is string => typeof value === "string";

const areTexts = (value: unknown): value is readonly string[] => Array.isArray(value) && value.every(isText);

const isReach = (value: unknown, count: number): boolean =>
  isObject(value) &&
  Array.isArray(value.parts) &&
  value.parts.every((i) => Number.isInteger(i) && i >= 0 && i < count) &&
  (value.parameters === "all" || areTexts(value.parameters)) &&
  Array.isArray(value.unseen) &&
  value.unseen.every((one) => isUnseen(one) && isPlace(one.at));

const isUnseen = (one: unknown): one is Readonly<Record<string, unknown>> =>
  isObject(one) &&
  isText(one.name) &&
  (one.env === undefined || areTexts(one.env)) &&
  (one.elsewhere === undefined || one.elsewhere === true);

const isPlace = (value: unknown): boolean =>
  isObject(value) && isText(value.file) && typeof value.line === "number" && typeof value.column === "number";

const isLooked = (value: unknown): boolean =>
  isObject(value) &&
  isText(value.path) &&
  (value.digest === undefined || isText(value.digest)) &&
  (value.real === undefined || isText(value.real)) &&
  (value.code === undefined || isCode(value.code));

const isCode = (value: unknown): boolean =>
  isObject(value) && isText(value.folder) && isText(value.stamp) && isText(value.digest);
