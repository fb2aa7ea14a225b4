// One line of the state file: sealed with a checksum, so that a damaged one is never believed. Knows nothing of files on disk, or of what is fresh.
import { crc32 } from "node:zlib";
import type { Digest, Trace } from "../core/trace.js";
import { areWritten, type Texts, type WrittenParts, withoutTexts } from "./state-texts.js";

/** What a file looked like when its digest was taken. All but the digest are compared for equality only, as exact decimal text. */
export interface Stamp {
  readonly size: string;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
  readonly inode: string;
  readonly device: string;
  readonly digest: Digest;
}

/** What dmake made under a name: what it says, and what its bytes hash to where that is another digest. */
export interface Made {
  readonly name: string;
  readonly digest: Digest;
  readonly bytes?: Digest;
}

export interface MadeBy extends Made {
  /** The step whose record says so. */
  readonly step: string;
}

/** A trace as it is written: what is long in its recipe is the key of a text. */
type WrittenTrace = Omit<Trace, "recipe"> & { readonly recipe: WrittenParts };

/** The second field names the line, for a reader that has no need of the rest. */
export type Line =
  | readonly ["text", string, string]
  | readonly ["trace", string, WrittenTrace]
  /** A step is about to publish these; and what is then to be recorded, without its outputs. Without that there is nothing to complete. */
  | readonly ["intent", string, readonly Made[], WrittenTrace?]
  /** A step has published what it intended with this attempt: its record is the one of the intent. */
  | readonly ["made", string, string]
  /** What this attempt intended will not be completed; what it had published already is dmake's all the same. */
  | readonly ["no-intent", string, string]
  /** A step once made this, and its record says nothing of it any more. */
  | readonly ["left", string, MadeBy]
  | readonly ["no-trace", string]
  | readonly ["no-left", string]
  | readonly ["stamp", string, string, string, string, string, string, Digest];

const format = 2;
/** The first line has the same seal in all versions, so that each can tell the others' files. */
const headerSeed = 0;

/**
 * CRC-32 finds every flipped bit and every burst of 32. The format is its seed, so that a line of another version does
 * not fit. Costs 0.13 s of the 0.7 that 200 000 lines take; without it a bit flipped in a recorded recipe, an input's name or the
 * time of the last check could make it what is there now, and a stale target fresh.
 */
const sealOf = (body: string, seed: number): string => crc32(body, seed).toString(16).padStart(8, "0");

const sealed = (fields: readonly unknown[], seed: number): string => {
  const body = JSON.stringify(fields).slice(1, -1);
  return `["${sealOf(body, seed)}",${body}]\n`;
};

export const header: string = sealed(["dmake-state", String(format)], headerSeed);

export const written = (line: Line): string => sealed(line, format);

const bodyStart = '["12345678",'.length;

/** Whether a line, without its end, says what was written. */
function holds(text: string, seed: number): boolean {
  if (!text.startsWith('["') || !text.startsWith('",', bodyStart - 2) || !text.endsWith("]")) return false;
  return Number.parseInt(text.slice(2, bodyStart - 2), 16) === crc32(text.slice(bodyStart, -1), seed);
}

/** The version in a first line, or nothing where it is none. */
export const versionIn = (text: string): string | undefined =>
  holds(text, headerSeed) && text.startsWith(headerKind, bodyStart) ? keyOf(text, "dmake-state") : undefined;

const headerKind = '"dmake-state",';

export const isCurrent = (version: string): boolean => version === String(format);

/** The most frequent first. */
const kinds = [
  "stamp",
  "intent",
  "made",
  "trace",
  "text",
  "left",
  "no-left",
  "no-trace",
  "no-intent",
] as const;

/** Kind and key of a line that is whole; nothing of any other. */
export function lineIn(text: string): { readonly kind: Line[0]; readonly key: string } | undefined {
  if (!holds(text, format)) return undefined;
  const kind = kinds.find((one) => text.startsWith(`${one}"`, bodyStart + 1));
  return kind && { kind, key: keyOf(text, kind) };
}

/** The same of a line as bytes, which are not made a text for it: that is a third of the time that reading a large file takes. */
export function lineAt(bytes: Buffer): { readonly kind: Line[0]; readonly key: string } | undefined {
  if (!holdsAt(bytes)) return undefined;
  const kindEnd = bytes.indexOf(quote, bodyStart + 1);
  const found = bytes.toString("latin1", bodyStart + 1, kindEnd);
  const kind = kinds.find((one) => one === found);
  if (!kind) return undefined;
  const start = kindEnd + 3;
  const key = bytes.toString("utf8", start, bytes.indexOf(quote, start));
  return { kind, key: key.includes("\\") ? String(fieldsOf(bytes.toString())[2]) : key };
}

const quote = 0x22;
const sealStart = '["'.length;
const sealEnd = sealStart + "12345678".length;

function holdsAt(bytes: Buffer): boolean {
  // `["12345678",` … `]`
  const isLine =
    bytes.length > bodyStart &&
    bytes[0] === 0x5b &&
    bytes[1] === quote &&
    bytes[sealEnd] === quote &&
    bytes[sealEnd + 1] === 0x2c &&
    bytes[bytes.length - 1] === 0x5d;
  if (!isLine) return false;
  const seal = Number.parseInt(bytes.toString("latin1", sealStart, sealEnd), 16);
  return seal === crc32(bytes.subarray(bodyStart, -1), format);
}

/** Cut out of the text: to parse 200 000 lines takes 0.8 s, and most builds need few of them. */
function keyOf(text: string, kind: string): string {
  const start = bodyStart + `"${kind}","`.length;
  const key = text.slice(start, text.indexOf('"', start));
  return key.includes("\\") ? String(fieldsOf(text)[2]) : key;
}

/** What a line holds: its seal, its kind, its key and the rest. */
const fieldsOf = (text: string): readonly unknown[] => JSON.parse(text) as readonly unknown[];

/** What has to be written of a trace: itself, after those of its texts whose keys are not there yet. */
export function traceLines(step: string, trace: Trace, there: ReadonlySet<string>): Line[] {
  const { texts, written } = withKeys(trace, there);
  return [...texts, ["trace", step, written]];
}

/** The same of traces that will hold once their outputs have their names. */
export const intentsLines = (all: readonly Recorded[], there: ReadonlySet<string>): readonly Line[] =>
  textsOnce(all.flatMap(([step, trace]) => intentLines(step, trace, there)));

export function intentLines(step: string, trace: Trace, there: ReadonlySet<string>): Line[] {
  const { texts, written } = withKeys(trace, there);
  return [...texts, ["intent", step, trace.outputs, { ...written, outputs: [] }]];
}

/** Successes to be recorded, or that are about to be. */
export type Recorded = readonly [step: string, trace: Trace];

/** What steps made by the records that they had, and make no more by the new ones. */
export const leftLines = (
  all: readonly Recorded[],
  before: { get(step: string): Trace | undefined },
): Line[] =>
  all.flatMap(([step, trace]) => {
    const outputs = new Set(trace.outputs.map(({ name }) => name));
    const gone = before.get(step)?.outputs.filter(({ name }) => !outputs.has(name)) ?? [];
    return gone.map((made): Line => ["left", made.name, { ...made, step }]);
  });

/** What was intended need not be said twice: a record is half of what is written of a small target. */
export const successLines = (
  all: readonly Recorded[],
  intended: ReadonlyMap<string, Trace>,
  there: ReadonlySet<string>,
): readonly Line[] =>
  textsOnce(
    all.flatMap(([step, trace]): Line[] =>
      intended.get(step) === trace ? [["made", step, trace.attempt]] : traceLines(step, trace, there),
    ),
  );

/** What has to be written for the record of a step to say nothing of this name any more. */
export function linesWithout(
  name: string,
  [step, trace]: readonly [step: string, trace: Trace | undefined],
  there: ReadonlySet<string>,
): Line[] {
  const outputs = trace?.outputs.filter((made) => made.name !== name) ?? [];
  if (!trace || outputs.length === trace.outputs.length) return [];
  return outputs.length === 0 ? [["no-trace", step]] : traceLines(step, { ...trace, outputs }, there);
}

/** Lines of several traces without what is said twice in them. */
function textsOnce(lines: readonly Line[]): readonly Line[] {
  const said = new Set<string>();
  return lines.filter(([kind, key]) => kind !== "text" || (!said.has(key) && said.add(key)));
}

function withKeys(
  trace: Trace,
  there: ReadonlySet<string>,
): { readonly texts: readonly Line[]; readonly written: WrittenTrace } {
  const { parts, texts } = withoutTexts(trace.recipe);
  const missing = [...texts].filter(([key]) => !there.has(key));
  return {
    texts: missing.map(([key, text]): Line => ["text", key, text]),
    written: { ...trace, recipe: parts },
  };
}

/** The trace of a line, be it a record or an intent, or nothing where it is none or refers to a text that is not there. */
export function traceIn(line: string, texts: Texts): Trace | undefined {
  const [, kind, , body, rest] = fieldsOf(line);
  const trace = kind === "intent" && isRecord(rest) ? { ...rest, outputs: body } : body;
  if (!isTrace(trace)) return undefined;
  const recipe = texts.whole(trace.recipe);
  // Its own, just read: a copy of 100 000 of them costs 0.1 s.
  return recipe && Object.assign(trace, { recipe });
}

/** Whether a line may hold an output that keeps the digest of other bytes. Cheap; inside a text the quotes are escaped. */
export const namesOtherBytes = (line: string): boolean => line.includes('"bytes":"');

export const textIn = (line: string): string => String(fieldsOf(line)[3]);

export function intentIn(line: string): readonly Made[] {
  const outputs = fieldsOf(line)[3];
  return areDigests(outputs) ? outputs : [];
}

/** Whether an intent says what is to be recorded. Those of earlier versions of dmake do not. Cheap: a trace has its attempt, and outputs have none. */
export const isWhole = (intent: string): boolean => intent.includes('"attempt":"');

/** Whether a line that ends an intent means this one: each names its attempt. */
export const isOfAttempt = (intent: string, end: string): boolean =>
  intent.includes(`"attempt":${end.slice(end.lastIndexOf(",") + 1, -1)}`);

/** One, or none where the line means nothing. */
export function leftIn(line: string): readonly MadeBy[] {
  const made = fieldsOf(line)[3] as MadeBy | undefined;
  return areDigests([made]) && typeof made?.step === "string" ? [made] : [];
}

export function stampIn(line: string): Stamp | undefined {
  const fields = fieldsOf(line);
  if (fields.length !== 9 || !fields.every((field) => typeof field === "string")) return undefined;
  const [, , , size, mtimeNs, ctimeNs, inode, device, digest] = fields as string[];
  return { size, mtimeNs, ctimeNs, inode, device, digest } as Stamp;
}

export const stampLine = (name: string, { size, mtimeNs, ctimeNs, inode, device, digest }: Stamp): Line => [
  "stamp",
  name,
  size,
  mtimeNs,
  ctimeNs,
  inode,
  device,
  digest,
];

/** Whether a line that is whole also means something: a person may have written it, seal and all. */
function isTrace(value: unknown): value is WrittenTrace {
  if (!isRecord(value)) return false;
  const { recipe, inputs, discovered, outputs, because, attempt, checkedAt, facts } = value;
  return (
    areWritten(recipe) &&
    areDigests(inputs) &&
    areDigests(outputs) &&
    (discovered === undefined || areDigests(discovered)) &&
    (because === undefined || Array.isArray(because)) &&
    typeof attempt === "string" &&
    typeof checkedAt === "string" &&
    isRecord(facts)
  );
}

// biome-ignore lint/suspicious/noExplicitAny: what JSON.parse answers
const isRecord = (value: unknown): value is Readonly<Record<string, any>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const areDigests = (list: unknown): list is readonly Made[] =>
  Array.isArray(list) &&
  list.every(
    (one) =>
      typeof one?.name === "string" &&
      typeof one?.digest === "string" &&
      (one.bytes === undefined || typeof one.bytes === "string"),
  );
