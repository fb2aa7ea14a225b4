// Rules and changes drawn at random: what a project of a property test is made of, and how its files are called. Knows nothing of building.
import fc from "fast-check";

/** Always there. */
export const sources = ["s1", "s2", "s3"];
/** There or not: `o*` are asked for by name, `g*` by a glob. */
export const loose = ["o1", "o2", "g1", "g2", "g3"];

const forms = ["file", "twins", "table", "directory", "pattern"] as const;

/** One rule. Numbers pick among the sources and the rules before it, so that there are no cycles. */
export interface Node {
  readonly form: (typeof forms)[number];
  readonly from: readonly number[];
  readonly uses: readonly number[];
  readonly after: readonly number[];
  readonly optional: boolean;
  readonly glob: boolean;
  /** It asks for one of these while it runs; for which, depends on what it has read. */
  readonly needs: readonly number[];
  readonly version: number;
  /** Its output hides most differences of its inputs, so that changes often stop here. */
  readonly lossy: boolean;
}

export type Change =
  | { readonly kind: "edit"; readonly name: string; readonly text: string }
  | { readonly kind: "touch" | "there-and-back"; readonly name: string }
  | { readonly kind: "drop"; readonly name: string }
  | { readonly kind: "poison" | "remove" | "break"; readonly node: number }
  | { readonly kind: "version"; readonly node: number; readonly version: number }
  | { readonly kind: "rewire"; readonly node: number; readonly from: readonly number[] }
  | { readonly kind: "mend" };

const pick = fc.nat(60);
const picks = (least: number, most: number) => fc.uniqueArray(pick, { minLength: least, maxLength: most });

export const nodes = fc.array(
  fc.record<Node>({
    form: fc.constantFrom(...forms),
    from: picks(1, 3),
    uses: picks(0, 1),
    after: picks(0, 1),
    optional: fc.boolean(),
    glob: fc.boolean(),
    needs: picks(0, 2),
    version: fc.nat(1),
    lossy: fc.boolean(),
  }),
  { minLength: 1, maxLength: 9 },
);

const node = fc.nat(8);
const anyFile = fc.constantFrom(...sources, ...loose);
const text = fc.constantFrom("a", "b", "cc");
export const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("edit" as const), name: anyFile, text }) },
  fc.record({ kind: fc.constantFrom("touch" as const, "there-and-back" as const), name: anyFile }),
  fc.record({ kind: fc.constant("drop" as const), name: fc.constantFrom(...loose) }),
  fc.record({ kind: fc.constantFrom("poison" as const, "remove" as const, "break" as const), node }),
  fc.record({ kind: fc.constant("version" as const), node, version: fc.nat(1) }),
  fc.record({ kind: fc.constant("rewire" as const), node, from: picks(1, 3) }),
  fc.record({ kind: fc.constant("mend" as const) }),
);

/** The names that a rule makes: one step each for a pattern, one step for all of the others. */
export function outputsOf({ form }: Node, i: number): readonly [string, ...string[]] {
  switch (form) {
    case "file":
      return [`f${i}`];
    case "twins":
      return [`f${i}`, `f${i}b`];
    case "table":
      return [`table:t${i}`];
    case "directory":
      return [`d${i}`];
    case "pattern":
      return [`p${i}_1`, `p${i}_2`];
  }
}

/** A source, or what a rule before this one makes: the last of its outputs, or a file inside its directory. */
export function nameOf(pick: number, i: number, all: readonly Node[]): string {
  const chosen = pick % (sources.length + i);
  const source = sources[chosen];
  if (source !== undefined) return source;
  const at = chosen - sources.length;
  const maker = all[at]!;
  return maker.form === "directory" && pick % 2 === 1 ? `d${at}/a` : outputsOf(maker, at).at(-1)!;
}
