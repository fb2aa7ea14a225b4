// The command line of `npm run bench` as a value. Knows nothing of what the benchmarks measure.
import { parseArgs } from "node:util";

/** What is to be measured, how often, and how large. */
export interface Plan {
  /** Whether it all works and is right, in a minute or two: small, one round, and no verdicts on time. */
  readonly quick: boolean;
  readonly rounds: number;
  /** Numbers of targets. */
  readonly sizes: readonly number[];
  /** Whether the sizes were asked for: nothing is then left out because it takes long, or put in because it does not. */
  readonly sized: boolean;
  /** Of one month of taxi trips. */
  readonly rows: number;
  /** Whether it is as large as the bars are set for. */
  readonly judged: boolean;
  /** A measure takes no further round once it has taken so long. */
  readonly budgetSeconds: number;
}

export interface Wanted {
  readonly names: readonly string[];
  readonly plan: Plan;
  /** Where the line of JSON of each report goes instead of standard output. */
  readonly json?: string;
  /** Where the rows of Markdown go. */
  readonly table?: string;
}

export type Parsed =
  | { readonly kind: "wanted"; readonly wanted: Wanted }
  | { readonly kind: "help" }
  | { readonly kind: "refused"; readonly why: string };

const usual = { rounds: 5, sizes: [1000, 10_000], rows: 1_300_000, budgetSeconds: 90 };
const quick = { rounds: 1, sizes: [300], rows: 20_000, budgetSeconds: 20 };

export const helpOf = (
  known: readonly string[],
): string => `npm run bench -- [NAME…] [--quick] [--rounds N] [--size N[,N…]] [--rows N] [--json FILE] [--table FILE]

names: ${known.join(", ")}

  --quick       small, one round, results checked, no verdicts on time
  --rounds N    rounds a measure, if not ${usual.rounds}; a measure that has taken ${usual.budgetSeconds} s takes no further one
  --size N,…    numbers of targets, if not ${usual.sizes.join(",")}
  --rows N      rows of a month of trips, if not ${usual.rows}
  --json FILE   the line of JSON of each benchmark goes there, and not to standard output
  --table FILE  the same as tables of Markdown; in a file with marks, as bench/README.md, between them

DMAKE='node other/dist/cli/main.js' measures another dmake than the one that is built here.`;

const options = {
  quick: { type: "boolean" },
  rounds: { type: "string" },
  size: { type: "string" },
  rows: { type: "string" },
  json: { type: "string" },
  table: { type: "string" },
  help: { type: "boolean" },
} as const;

export function parseArguments(words: readonly string[], known: readonly string[]): Parsed {
  const parsed = parseWords(words);
  if ("why" in parsed) return { kind: "refused", why: parsed.why };
  const { values, positionals } = parsed;
  if (values.help) return { kind: "help" };
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined) return { kind: "refused", why: `no benchmark is called \`${unknown}\`` };
  const base = values.quick ? quick : usual;
  const numbers = {
    rounds: values.rounds === undefined ? [base.rounds] : numbersIn(values.rounds),
    size: values.size === undefined ? base.sizes : numbersIn(values.size),
    rows: values.rows === undefined ? [base.rows] : numbersIn(values.rows),
  };
  for (const [name, found] of Object.entries(numbers))
    if (!found || (name !== "size" && found.length > 1))
      return { kind: "refused", why: `\`--${name}\` wants a whole number above 0` };
  const plan: Plan = {
    quick: values.quick ?? false,
    rounds: numbers.rounds![0]!,
    sizes: [...numbers.size!].sort((a, b) => a - b),
    sized: values.size !== undefined,
    rows: numbers.rows![0]!,
    judged: !values.quick && numbers.rows![0]! >= usual.rows,
    budgetSeconds: base.budgetSeconds,
  };
  const names = positionals.length > 0 ? [...new Set(positionals)] : known;
  const files = {
    ...(values.json !== undefined && { json: values.json }),
    ...(values.table !== undefined && { table: values.table }),
  };
  return { kind: "wanted", wanted: { names, plan, ...files } };
}

function parseWords(words: readonly string[]) {
  try {
    return parseArgs({ args: [...words], allowPositionals: true, options });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith("ERR_PARSE_ARGS_"))
      return { why: (error as Error).message };
    throw error;
  }
}

/** `1000,10_000` as numbers, or nothing if one is none. */
function numbersIn(text: string): readonly number[] | undefined {
  const all = text.split(",").map((word) => Number(word.replaceAll("_", "") || "none"));
  return all.every((one) => Number.isSafeInteger(one) && one > 0) ? all : undefined;
}
