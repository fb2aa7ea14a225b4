// Turns recipes and inputs into named parts and digests that can be compared. Knows nothing of files, records or verdicts.
import { createHash } from "node:crypto";
import { ok, type Result } from "./failure.js";
import { redactAll, redactText, redactUrl } from "./redact.js";
import type {
  LoadRecipe,
  ParquetRecipe,
  Recipe,
  SqlNames,
  SqlRecipe,
  Step,
  TableDeclaration,
} from "./rule.js";
import { isViewName } from "./target.js";
import { absent, type Digest, type NamedDigest, type Parts } from "./trace.js";

export const digestOf = (text: string | Uint8Array): Digest =>
  `sha256:${createHash("sha256").update(text).digest("hex")}`;

/**
 * One digest for everything that an output was made from. Two runs with the same key make the same rows, so it is
 * the idempotency key of a load, and stands for the content of a partition.
 */
export function fingerprintOf(recipe: Parts, inputs: readonly NamedDigest[]): Digest {
  const parts = Object.keys(recipe)
    .sort()
    .map((name) => [name, recipe[name]]);
  return digestOf(JSON.stringify([parts, inputs.map(({ name, digest }) => [name, digest])]));
}

/**
 * The parts of a step's recipe; `inputs` is what was seen of its inputs, since a command is not given optional ones that
 * are not there. Fails only where a function of the Datafile does.
 */
export function recipeParts(step: Step, inputs: readonly NamedDigest[]): Result<Parts> {
  const parts = partsOf(step, given(step, inputs));
  if (!parts.ok) return parts;
  // By name: an input that becomes something else to the recipe is no other input.
  if (step.uses.length > 0) parts.value.uses = step.uses.join("\n");
  const directories = step.directories.size > 0 && step.outputs.filter((one) => step.directories.has(one));
  if (directories) parts.value.directories = directories.join("\n");
  const { secrets } = step.rule;
  return secrets && secrets.size > 0 ? ok(redactAll(parts.value, secrets)) : parts;
}

/** The inputs that a recipe is given: all but the optional ones that are not there. */
export function given(step: Step, inputs: readonly NamedDigest[]): readonly string[] {
  if (step.optional.size === 0) return step.inputs;
  const missing = new Set(inputs.flatMap(({ name, digest }) => (digest === absent ? [name] : [])));
  return step.inputs.filter((name) => !(step.optional.has(name) && missing.has(name)));
}

/** A new object for each step: copies of a hundred parts take a tenth of a null build. */
function partsOf(
  { recipe, outputs, binding }: Step,
  inputs: readonly string[],
): Result<Record<string, string>> {
  switch (recipe.kind) {
    case "download":
      return ok(downloadParts(recipe));
    case "parquet":
      return ok({
        kind: "parquet",
        compression: recipe.compression,
        ...readingParts(recipe),
      });
    case "load":
      return ok({ kind: "table", ...placeParts(recipe), ...readingParts(recipe) });
    case "sql":
      return sqlParts(recipe, { inputs, outputs });
    case "sh": {
      const { version, parts } = recipe;
      if (version !== undefined) return ok({ kind: "sh", version, ...parts });
      const command = recipe.render({ inputs, outputs, depfile: depfileName });
      return command.ok ? ok({ kind: "sh", command: redactText(command.value.text, []), ...parts }) : command;
    }
    case "script": {
      const parts: Record<string, string> = { kind: "script", ...recipe.parts };
      // A function is given them, and another pattern or domain may take others from the same name.
      for (const [name, value] of Object.entries(binding)) parts[`wildcard.${name}`] = value;
      return ok(parts);
    }
  }
}

/** In a command that is only shown or compared. */
export const depfileName = "depfile";

function downloadParts({
  url,
  sha256,
  headers,
}: Extract<Recipe, { kind: "download" }>): Record<string, string> {
  const names = Object.keys(headers ?? {}).map((name) => name.toLowerCase());
  return {
    kind: "download",
    url: redactUrl(url),
    ...(sha256 && { sha256: sha256.toLowerCase() }),
    ...(names.length > 0 && { headers: names.sort().join(" ") }),
  };
}

/** How a data file is read. */
function readingParts({ columns, rename = {}, csv }: ParquetRecipe | LoadRecipe): Record<string, string> {
  const parts: Record<string, string> = {};
  for (const [name, type] of Object.entries(columns)) parts[`columns.${name}`] = type;
  for (const [from, to] of Object.entries(rename)) parts[`rename.${from}`] = to;
  for (const [name, value] of Object.entries(csv))
    parts[`csv.${name}`] = typeof value === "string" ? value : JSON.stringify(value);
  return parts;
}

/** A file's text is among what the step uses. */
function sqlParts(recipe: SqlRecipe, names: SqlNames): Result<Record<string, string>> {
  const { source, version } = recipe;
  // A view and a table of one name share a record: the one is not there where the other is.
  const makes = isViewName(names.outputs[0] ?? "") ? { makes: "view" } : {};
  const parts: Record<string, string> = { kind: "sql", ...makes, ...placeParts(recipe) };
  if (version !== undefined) return ok({ ...parts, version });
  if (source.from === "file") {
    for (const [name, value] of Object.entries(source.values))
      parts[`values.${name}`] = JSON.stringify(value);
    return ok(parts);
  }
  const statement = source.render(names);
  if (!statement.ok) return statement;
  // Of one spelling each, which no text has by chance: a number and a text of the same digits are other values, and so are
  // a text and a name. A table goes by its target's name.
  const values = statement.value.values.map((value) => `\${${JSON.stringify(value)}}`);
  return ok({ ...parts, sql: statement.value.texts.map((text, i) => text + (values[i] ?? "")).join("") });
}

/**
 * Where rows go, and how. Parts that begin with `table.` change no row: a table that is there can be amended by them.
 * The contracts `evolve` and `freeze` say what may fail, and not what comes out.
 */
function placeParts({ partitionColumn, table }: LoadRecipe | SqlRecipe): Record<string, string> {
  const parts: Record<string, string> = { ...(partitionColumn !== undefined && { partitionColumn }) };
  if (!table) return parts;
  if (table.strategy !== undefined) parts.strategy = table.strategy;
  if (table.contract === "discard") parts.contract = table.contract;
  if (table.maxRejects > 0) parts.maxRejects = String(table.maxRejects);
  if (table.strategy === "merge") parts.key = JSON.stringify(table.key);
  return { ...parts, ...amendableParts(table) };
}

export const amendable = "table.";

function amendableParts({ strategy, key, indexes = [], comment, comments, grants }: TableDeclaration) {
  const parts: Record<string, string> = {};
  if (key && strategy !== "merge") parts[`${amendable}key`] = JSON.stringify(key);
  if (indexes.length > 0) parts[`${amendable}indexes`] = JSON.stringify(indexes);
  if (comment !== undefined) parts[`${amendable}comment`] = comment;
  for (const [column, text] of Object.entries(comments ?? {})) parts[`${amendable}comments.${column}`] = text;
  for (const [role, privileges] of Object.entries(grants ?? {}))
    parts[`${amendable}grants.${role}`] = privileges.join(", ");
  return parts;
}
