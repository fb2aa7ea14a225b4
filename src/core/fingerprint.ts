// Turns recipes and inputs into named parts and digests that can be compared. Knows nothing of files, records or verdicts.
import { createHash } from "node:crypto";
import { ok, type Result } from "./failure.js";
import { redactText, redactUrl } from "./redact.js";
import type { ColumnTypes, CsvOptions, Recipe, Step } from "./rule.js";
import type { Digest, NamedDigest } from "./trace.js";

/** Named parts of a recipe: what it depends on besides its inputs, so that a difference can be named. No part holds a secret. */
export type Parts = Readonly<Record<string, string>>;

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

/** The parts of a step's recipe. Fails only where a function of the Datafile does. */
export function recipeParts({ recipe, inputs, outputs }: Step): Result<Parts> {
  switch (recipe.kind) {
    case "download":
      return ok(downloadParts(recipe));
    case "parquet":
      return ok({
        kind: "parquet",
        compression: recipe.compression,
        ...tableParts(recipe.columns, recipe.csv),
      });
    case "load": {
      const { partitionColumn, columns, csv } = recipe;
      return ok({ kind: "table", ...(partitionColumn && { partitionColumn }), ...tableParts(columns, csv) });
    }
    case "sh": {
      const command = recipe.render({ inputs, outputs });
      return command.ok ? ok({ kind: "sh", command: redactText(command.value.text, []) }) : command;
    }
    case "script":
      return ok({ kind: "script", source: recipe.source, ...parameterParts(recipe.parameters ?? {}) });
  }
}

const parameterParts = (parameters: Readonly<Record<string, string>>): Parts =>
  Object.fromEntries(Object.entries(parameters).map(([name, digest]) => [`parameter.${name}`, digest]));

function downloadParts({ url, sha256, headers }: Extract<Recipe, { kind: "download" }>): Parts {
  const names = Object.keys(headers ?? {}).map((name) => name.toLowerCase());
  return {
    kind: "download",
    url: redactUrl(url),
    ...(sha256 && { sha256: sha256.toLowerCase() }),
    ...(names.length > 0 && { headers: names.sort().join(" ") }),
  };
}

function tableParts(columns: ColumnTypes, csv: CsvOptions): Record<string, string> {
  const parts: Record<string, string> = {};
  for (const [name, type] of Object.entries(columns)) parts[`columns.${name}`] = type;
  for (const [name, value] of Object.entries(csv))
    parts[`csv.${name}`] = typeof value === "string" ? value : JSON.stringify(value);
  return parts;
}
