// Steps with what their files looked like, in columns that are read and written in one go. Knows nothing of what the columns are for.
import { version as nodeVersion } from "node:process";
import type { Look } from "./file-look.js";
import { readSealed, writeSealed } from "./sealed-file.js";
import type { Position } from "./state-file.js";

/** Of other formats, of other versions of Node and of damaged files nothing is believed: then all is judged, as without it. */
const format = `2 ${nodeVersion}`;

/** All steps in columns: an object for each of 100 000 takes five times as long to read. */
export interface Columns {
  readonly format: string;
  /** How far the state file had been read: what it says from there on is newer than this. */
  readonly inode: bigint;
  readonly bytes: number;
  /** The steps' texts, one after the other, and where each ends. */
  readonly texts: string;
  readonly textEnds: Uint32Array;
  /** The numbers of the steps' files, one after the other, and where those of each end. */
  readonly files: Uint32Array;
  readonly fileEnds: Uint32Array;
  /** Five numbers a file: ctime, mtime, size, inode, device. */
  readonly looks: BigInt64Array;
}

/** Columns as they were read, with what tells them from all others that were at their place. */
export type Sealed = Columns & { readonly seal: number };

export const numbersOfLook = 5;

/** A step's text begins with the name of its first output. */
export const idOf = (text: string): string => text.slice(0, text.indexOf("\0"));

export const textOf = ({ texts, textEnds }: Columns, step: number): string =>
  texts.slice(step === 0 ? 0 : textEnds[step - 1], textEnds[step]);

/** The names of a step's files, with which its text begins. */
export function namesIn(columns: Columns, step: number): readonly string[] {
  const { texts, textEnds, fileEnds } = columns;
  const count = (fileEnds[step] ?? 0) - (step === 0 ? 0 : (fileEnds[step - 1] ?? 0));
  const names: string[] = [];
  let at = step === 0 ? 0 : (textEnds[step - 1] ?? 0);
  while (names.length < count) {
    const end = texts.indexOf("\0", at);
    if (end < 0) break;
    names.push(texts.slice(at, end));
    at = end + 1;
  }
  return names;
}

/** Whether a step is of these words: compared one by one, since to join them takes longer. */
export function isAt({ texts, textEnds }: Columns, step: number, words: readonly string[]): boolean {
  const end = textEnds[step];
  if (end === undefined) return false;
  let at = step === 0 ? 0 : (textEnds[step - 1] ?? 0);
  for (const word of words) {
    if (!texts.startsWith(word, at)) return false;
    at += word.length;
    if (at !== end && texts.charCodeAt(at) !== 0) return false;
    at += 1;
  }
  return at === end + 1;
}

/** Whether a step has this name. */
export function isCalled({ texts, textEnds }: Columns, step: number, id: string): boolean {
  const at = step === 0 ? 0 : (textEnds[step - 1] ?? 0);
  return step < textEnds.length && texts.startsWith(id, at) && texts.charCodeAt(at + id.length) === 0;
}

export function indexOf(columns: Columns): Map<string, number> {
  const steps = new Map<string, number>();
  for (let step = 0; step < columns.textEnds.length; step += 1) steps.set(idOf(textOf(columns, step)), step);
  return steps;
}

/** Whether it is what this version writes: a person may have written it, seal and all. */
const isWhole = ({
  format: found,
  inode,
  bytes,
  texts,
  textEnds,
  files,
  fileEnds,
  looks,
}: Columns): boolean =>
  found === format &&
  typeof inode === "bigint" &&
  typeof bytes === "number" &&
  typeof texts === "string" &&
  [textEnds, files, fileEnds].every((one) => one instanceof Uint32Array) &&
  looks instanceof BigInt64Array &&
  textEnds.length === fileEnds.length;

export function readColumns(path: string): Sealed | undefined {
  const found = readSealed(path);
  const columns = found?.value as Columns | undefined;
  return found && columns && isWhole(columns) ? { ...columns, seal: found.seal } : undefined;
}

export const writeColumns = (path: string, columns: Columns): void => writeSealed(path, columns);

/** Puts steps into columns, each once: the first counts. Those that are taken over come from one source. */
export class ColumnsWriter {
  readonly #position: Position;
  readonly #source: Columns | undefined;
  readonly #texts: string[] = [];
  readonly #textEnds: number[] = [];
  readonly #files: number[] = [];
  readonly #fileEnds: number[] = [];
  readonly #looks: Looks;
  /** Names of the steps that were looked at anew. */
  readonly #added = new Set<string>();
  /** 1 for a step of the source that was taken over. */
  readonly #taken: Uint8Array;
  /** Name → its number, of files that were looked at anew. */
  readonly #numbers = new Map<string, number>();
  /** Number in the source → number here, plus one. */
  readonly #copied: Uint32Array;
  #length = 0;

  constructor(position: Position, source?: Columns) {
    this.#position = position;
    this.#source = source;
    this.#looks = new Looks(source?.looks);
    this.#taken = new Uint8Array(source?.textEnds.length ?? 0);
    this.#copied = new Uint32Array((source?.looks.length ?? 0) / numbersOfLook);
  }

  add(text: string, names: readonly string[], looks: readonly Look[]): void {
    const id = idOf(text);
    if (this.#added.has(id)) return;
    this.#added.add(id);
    this.#begin(text);
    for (const [i, name] of names.entries()) {
      const look = looks[i];
      let number = this.#numbers.get(name);
      if (number === undefined && look) {
        number = this.#looks.add(look);
        this.#numbers.set(name, number);
      }
      this.#files.push(number ?? 0);
    }
    this.#fileEnds.push(this.#files.length);
  }

  /** Takes a step over from the source, unless another was added in its place. */
  copy(step: number): void {
    const source = this.#source;
    if (!source || this.#taken[step] === 1) return;
    this.#taken[step] = 1;
    const text = textOf(source, step);
    if (this.#added.size > 0 && this.#added.has(idOf(text))) return;
    this.#begin(text);
    const end = source.fileEnds[step] ?? 0;
    for (let i = step === 0 ? 0 : (source.fileEnds[step - 1] ?? 0); i < end; i += 1) {
      const file = source.files[i] ?? 0;
      let number = this.#copied[file] ?? 0;
      if (number === 0) {
        number = this.#looks.copy(file) + 1;
        this.#copied[file] = number;
      }
      this.#files.push(number - 1);
    }
    this.#fileEnds.push(this.#files.length);
  }

  columns(): Columns {
    return {
      format,
      ...this.#position,
      texts: this.#texts.join(""),
      textEnds: Uint32Array.from(this.#textEnds),
      files: Uint32Array.from(this.#files),
      fileEnds: Uint32Array.from(this.#fileEnds),
      looks: this.#looks.all(),
    };
  }

  #begin(text: string): void {
    this.#texts.push(text);
    this.#length += text.length;
    this.#textEnds.push(this.#length);
  }
}

/** What files looked like, copied by halves of their numbers: 750 000 bigints, each made to be thrown away, take longer than all else. */
class Looks {
  readonly #from: Int32Array;
  #looks: BigInt64Array;
  #halves: Int32Array;
  #count = 0;

  constructor(source: BigInt64Array = new BigInt64Array(0)) {
    this.#from = halvesOf(source);
    this.#looks = new BigInt64Array(source.length + firstLooks * numbersOfLook);
    this.#halves = halvesOf(this.#looks);
  }

  /** Answers the number of a file that looks like this. */
  add({ ctimeNs, mtimeNs, size, inode, device }: Look): number {
    const at = this.#next() * numbersOfLook;
    for (const [i, one] of [ctimeNs, mtimeNs, size, inode, device].entries())
      this.#looks[at + i] = BigInt(one);
    return at / numbersOfLook;
  }

  /** The same of a file of the source. */
  copy(file: number): number {
    const number = this.#next();
    const [from, to] = [file * 2 * numbersOfLook, number * 2 * numbersOfLook];
    for (let i = 0; i < 2 * numbersOfLook; i += 1) this.#halves[to + i] = this.#from[from + i] ?? 0;
    return number;
  }

  all(): BigInt64Array {
    return this.#looks.slice(0, this.#count * numbersOfLook);
  }

  #next(): number {
    if (this.#count * numbersOfLook === this.#looks.length) {
      const more = new BigInt64Array(2 * this.#looks.length);
      more.set(this.#looks);
      this.#looks = more;
      this.#halves = halvesOf(more);
    }
    this.#count += 1;
    return this.#count - 1;
  }
}

const firstLooks = 1024;

const halvesOf = (looks: BigInt64Array): Int32Array =>
  new Int32Array(looks.buffer, looks.byteOffset, 2 * looks.length);
