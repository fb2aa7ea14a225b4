// Says what the imported names that a function reaches stand for, where the code that it reaches does not say so itself. Knows nothing of packages' versions.
import type { Target } from "./reach-link.js";
import type { Reached } from "./reach-walk.js";

/**
 * `lib/clean.ts last` → `node:path basename`. A name of the project that is imported as it is declared is left out
 * where nothing else that is reached has it: then the declaration itself says what is meant.
 */
export function meantBy({ imports, units }: Reached): ReadonlyMap<string, string> {
  const declared = [...units.keys()].flatMap(({ names }) => names);
  const once = new Set(declared.filter((name, i) => declared.indexOf(name) === i));
  for (const name of declared.filter((one, i) => declared.indexOf(one) !== i)) once.delete(name);
  const files = new Set(
    [...imports.values()].flat().flatMap((one) => (one.kind === "file" ? [one.file] : [])),
  );
  const meant = new Map<string, string>();
  for (const [name, targets] of imports) {
    const isPlain = (target: Target): boolean =>
      target.kind === "unit"
        ? name.split(/[ .]/).at(-1) === target.name && once.has(target.name)
        : target.kind === "file" && files.size === 1;
    const texts = targets.flatMap((target) => (isPlain(target) ? [] : (textOf(target) ?? [])));
    if (texts.length > 0) meant.set(name, [...new Set(texts)].sort().join("\n"));
  }
  return meant;
}

function textOf(target: Target): string | undefined {
  switch (target.kind) {
    case "unit":
      return `${target.unit.module.file.name} ${target.name}`;
    case "file":
      return `${target.file.name} *`;
    case "builtin":
      return `node:${target.module} ${target.name}`;
    case "package":
      return `${target.specifier} ${target.imported}`;
    case "dmake":
      return `dmake ${target.name}`;
    case "passed":
    case "tool":
      return undefined;
  }
}
