// Texts of recipes that many records have, each written once and known by its key. Knows nothing of lines or of files.
import { createHash } from "node:crypto";
import type { Parts } from "../core/trace.js";
import type { Place } from "./state-places.js";

/** A long text is its key, in a list of one; parts whose names begin alike may together be the key of a block of them. */
type WrittenPart = string | readonly [key: string] | { readonly parts: string };

/** The parts of a recipe as they are written. */
export type WrittenParts = Readonly<Record<string, WrittenPart>>;

/** Longer texts are written once: 400 partitions share the text of one function. */
const longText = 200;
/** So are parts that are longer together: 100 helpers of 2 000 partitions take 20 MB where each record has them all. */
const longTogether = 300;

const keyOf = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 32);

/** `reaches lib/clean.ts tidy` → `reaches`, `columns.fee` → `columns`. */
const beginningOf = (name: string): string => name.split(/[ .]/, 1)[0] ?? "";

/** Parts without what is long, and that by its key, what a block needs before the block. */
export function withoutTexts(parts: Parts): {
  readonly parts: WrittenParts;
  readonly texts: ReadonlyMap<string, string>;
} {
  const texts = new Map<string, string>();
  const keyed = (text: string): string => {
    const key = keyOf(text);
    texts.set(key, text);
    return key;
  };
  const groups = new Map<string, [string, WrittenPart][]>();
  for (const [name, text] of Object.entries(parts)) {
    const part = [name, text.length <= longText ? text : ([keyed(text)] as const)] as [string, WrittenPart];
    const beginning = beginningOf(name);
    const group = groups.get(beginning);
    if (group) group.push(part);
    else groups.set(beginning, [part]);
  }
  const written = [...groups].flatMap(([beginning, group]): [string, WrittenPart][] => {
    // One part alone is short by now.
    if (group.length === 1) return group;
    const block = JSON.stringify(Object.fromEntries(group));
    return block.length <= longTogether ? group : [[beginning, { parts: keyed(block) }]];
  });
  return { parts: Object.fromEntries(written), texts };
}

/** Whether these can be the parts of a recipe: a person may have written them. */
export const areWritten = (parts: unknown): parts is WrittenParts =>
  typeof parts === "object" &&
  parts !== null &&
  !Array.isArray(parts) &&
  Object.values(parts).every(
    (part) => typeof part === "string" || typeof part?.[0] === "string" || typeof part?.parts === "string",
  );

/** Lives as long as the state it belongs to. */
export class Texts {
  readonly #texts = new Map<string, string | Place>();
  readonly #read: (key: string, place: Place) => string | undefined;
  /** Keys of blocks → what they hold together: 2 000 records that each unfold the same take 0.1 s. */
  readonly #unfolded = new Map<string, Parts | undefined>();

  /** `read` answers the text of the line at a place, or nothing where that is not the key's any more. */
  constructor(read: (key: string, place: Place) => string | undefined) {
    this.#read = read;
  }

  get size(): number {
    return this.#texts.size;
  }

  keys(): IterableIterator<string> {
    return this.#texts.keys();
  }

  saved(): ReadonlyMap<string, string | Place> {
    return this.#texts;
  }

  set(key: string, text: string | Place): void {
    this.#texts.set(key, text);
    this.#unfolded.clear();
  }

  /** Parts with all their texts, or nothing where one is not there. */
  whole(written: WrittenParts): Parts | undefined {
    const own: Record<string, string> = {};
    const blocks: string[] = [];
    for (const [name, part] of Object.entries(written)) {
      if (isBlock(part)) {
        blocks.push(part.parts);
        continue;
      }
      const text = typeof part === "string" ? part : this.#get(part[0]);
      if (text === undefined) return undefined;
      own[name] = text;
    }
    const unfolded = this.#unfold(blocks);
    return unfolded && { ...unfolded, ...own };
  }

  #get(key: string): string | undefined {
    const text = this.#texts.get(key);
    if (text === undefined || typeof text === "string") return text;
    const read = this.#read(key, text);
    if (read !== undefined) this.#texts.set(key, read);
    return read;
  }

  #unfold(keys: readonly string[]): Parts | undefined {
    const name = keys.join();
    if (!this.#unfolded.has(name)) this.#unfolded.set(name, this.#together(keys));
    return this.#unfolded.get(name);
  }

  #together(keys: readonly string[]): Parts | undefined {
    const together: Record<string, string> = {};
    for (const key of keys) {
      const text = this.#get(key);
      const parts: unknown = text?.startsWith("{") ? parsed(text) : undefined;
      // A block holds no other blocks: one that named itself would have no end.
      if (!areWritten(parts) || Object.values(parts).some(isBlock)) return undefined;
      const whole = this.whole(parts);
      if (!whole) return undefined;
      Object.assign(together, whole);
    }
    return together;
  }
}

const isBlock = (part: WrittenPart): part is { readonly parts: string } =>
  typeof part === "object" && "parts" in part;

/** What a text says, or nothing where it is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
