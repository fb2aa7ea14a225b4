// Values as JSON in one spelling, and why a value is none. Knows nothing of rules.

/**
 * Why JSON cannot say all that there is in a value, or nothing. What `JSON.stringify` would leave out, round or call is
 * refused: of two values with one text, the recipe of one would stand for the other.
 */
export function jsonProblem(value: unknown, path: string, above: readonly object[] = []): string | undefined {
  if (value === null || typeof value === "string" || typeof value === "boolean") return undefined;
  if (typeof value === "number")
    return Number.isFinite(value) ? undefined : `\`${path}\` is ${value}, which JSON has no number for`;
  if (typeof value !== "object")
    return `\`${path}\` is ${value === undefined ? "undefined" : `a ${typeof value}`}, which JSON cannot say`;
  if (above.includes(value)) return `\`${path}\` contains itself`;
  const kind = kindOf(value);
  if (kind !== "Array" && kind !== "Object")
    return `\`${path}\` is an object of the class \`${kind}\`, and JSON cannot say what is in it`;
  const isList = kind === "Array";
  const hidden = Reflect.ownKeys(value).find(
    (key) => !(isList && key === "length") && !isSaid(value, key, isList),
  );
  if (hidden !== undefined) return `\`${path}\` has \`${String(hidden)}\`, which JSON would leave out`;
  if (isList && Object.keys(value).length < (value as readonly unknown[]).length)
    return `\`${path}\` has gaps, which JSON cannot say`;
  for (const [name, inner] of Object.entries(value)) {
    const problem = jsonProblem(inner, isList ? `${path}[${name}]` : `${path}.${name}`, [...above, value]);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** The name of the class; `Object` also for objects without one. */
function kindOf(value: object): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return "Object";
  if (prototype === Array.prototype) return "Array";
  const { constructor: made } = prototype as { readonly constructor?: unknown };
  // A class may be called as one of the two above.
  return typeof made === "function" && !/^(Object|Array|)$/.test(made.name) ? made.name : "(no name)";
}

const isSaid = (value: object, key: string | symbol, isList: boolean): boolean =>
  typeof key === "string" &&
  Object.prototype.propertyIsEnumerable.call(value, key) &&
  (!isList || /^\d+$/.test(key));

/** The JSON of a value of which it can say everything, names sorted. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}:${canonicalJson(inner)}`).join(",")}}`;
}
