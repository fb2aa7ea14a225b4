// What each function of a Datafile cannot do without, and what it knows, for callers that no compiler checked. Knows nothing of what is done with it.
import { similar } from "../core/similar.js";
import { callerPlace, DeclarationError } from "./session.js";
import { shapeOptions } from "./table-shape.js";

type Check = (given: unknown) => boolean;

/** A check for each argument in order; `options` also for what must stand in them. */
interface Call {
  readonly options: Readonly<Record<string, Check>>;
  /** What may stand in the options besides. */
  readonly known: readonly string[];
  /** What the third argument is, if there is one. */
  readonly work?: string;
  readonly example: string;
}

const isGiven: Check = (given) => given !== undefined;
const isTextOrFunction: Check = (given) => typeof given === "string" || typeof given === "function";

const common = ["where", "after", "pool"];
const patience = ["timeout", "retries"];
const ofCode = [...common, ...patience, "from", "uses", "env", "values", "version", "sameness", "inPlace"];

const calls = {
  download: {
    options: { url: isTextOrFunction },
    known: [...common, ...patience, "sha256", "headers", "maxAge"],
    example: 'download("x.csv", { url: "https://…" })',
  },
  parquet: {
    options: { from: isGiven },
    known: [...common, ...patience, "columns", "rename", "csv", "compression", "sameness"],
    example: 'parquet("x.parquet", { from: "x.csv" })',
  },
  table: {
    options: { from: isGiven },
    known: [...common, ...patience, ...shapeOptions, "columns", "rename", "csv", "maxRejects"],
    example: 'table("table:NAME", { from: "x.csv" })',
  },
  sql: {
    options: {},
    known: [...common, ...patience, ...shapeOptions, "from", "uses", "file", "values", "version"],
    example: 'sql("table:NAME", { from: "table:x" }, ({ $, input }) => $`select … from ${input}`)',
  },
  sh: {
    options: {},
    known: [...ofCode, "depfile"],
    work: "a command",
    example: 'sh("x.txt", {}, ({ $, output }) => $`date > ${output}`)',
  },
  script: {
    options: {},
    known: ofCode,
    work: "a function",
    example: 'script("x.txt", {}, async ({ output }) => { … })',
  },
} satisfies Record<string, Call>;

/** The functions that declare rules. */
export type RuleKind = keyof typeof calls;

/** Refuses a call that lacks something, all of it in one sentence, and an option that would do nothing. */
export function checkCall(kind: RuleKind, target: unknown, options: unknown, work?: unknown): void {
  const call: Call = calls[kind];
  const given: Readonly<Record<string, unknown>> | undefined =
    typeof options === "object" && options !== null ? { ...options } : undefined;
  const named = [target].flat().every((name) => typeof name === "string");
  const inside = Object.entries(call.options).filter(([name, check]) => !check(given?.[name]));
  const missing = [
    ...(named ? [] : ["a target"]),
    ...(given || inside.length > 0 ? [] : ["options"]),
    ...inside.map(([name]) => `\`${name}\``),
    ...(call.work !== undefined && typeof work !== "function" ? [call.work] : []),
  ];
  if (missing.length === 0) {
    checkKnown(kind, Object.keys(given ?? {}));
    return;
  }
  const problem = `\`${kind}\` needs ${missing.join(" and ")}`;
  throw new DeclarationError({ reason: "bad-rule", problem, at: callerPlace(), help: call.example });
}

const options = Object.fromEntries(
  Object.entries(calls).map(([kind, call]) => [kind, new Set([...Object.keys(call.options), ...call.known])]),
);

function checkKnown(kind: RuleKind, given: readonly string[]): void {
  const unknown = given.find((name) => !options[kind]?.has(name));
  if (unknown === undefined) return;
  const known = [...(options[kind] ?? [])];
  const [near] = similar(unknown, known);
  const help =
    near === undefined
      ? `it has ${known.map((name) => `\`${name}\``).join(", ")}`
      : `did you mean \`${near}\`?`;
  const problem = `\`${kind}\` has no option \`${unknown}\``;
  throw new DeclarationError({ reason: "bad-rule", problem, at: callerPlace(), help });
}
