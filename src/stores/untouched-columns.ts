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

export const numbersOfLook = 5;

/** A step's text begins with the name of its first output. */
export const idOf = (text: string): string => text.slice(0, text.indexOf("\0"));

export const textOf = ({ texts, textEnds }: Columns, step: number): string =>
  texts.slice(step === 0 ? 0 : textEnds[step - 1], textEnds[step]);

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

export function readColumns(path: string): Columns | undefined {
  const columns = readSealed(path) as Columns | undefined;
  return columns && isWhole(columns) ? columns : undefined;
}

export const writeColumns = (path: string, columns: Columns): void => writeSealed(path, columns);

/** Puts steps into columns, each once: the first counts. */
export class ColumnsWriter {
  readonly #position: Position;
  readonly #texts: string[] = [];
  readonly #textEnds: number[] = [];
  readonly #files: number[] = [];
  readonly #fileEnds: number[] = [];
  readonly #looks: bigint[] = [];
  readonly #steps = new Set<string>();
  /** Name → its number, of files that were looked at anew. */
  readonly #numbers = new Map<string, number>();
  /** Number in the columns that are copied from → number here. */
  readonly #copied = new Map<number, number>();
  #length = 0;

  constructor(position: Position) {
    this.#position = position;
  }

  add(text: string, names: readonly string[], looks: readonly Look[]): void {
    if (!this.#begin(text)) return;
    for (const [i, name] of names.entries()) {
      const look = looks[i];
      let number = this.#numbers.get(name);
      if (number === undefined && look) {
        number = this.#looks.length / numbersOfLook;
        const { ctimeNs, mtimeNs, size, inode, device } = look;
        this.#looks.push(...[ctimeNs, mtimeNs, size, inode, device].map(BigInt));
        this.#numbers.set(name, number);
      }
      this.#files.push(number ?? 0);
    }
    this.#fileEnds.push(this.#files.length);
  }

  /** Takes a step over from other columns. */
  copy(columns: Columns, step: number): void {
    if (!this.#begin(textOf(columns, step))) return;
    const { files, fileEnds, looks } = columns;
    for (const file of files.subarray(step === 0 ? 0 : fileEnds[step - 1], fileEnds[step])) {
      let number = this.#copied.get(file);
      if (number === undefined) {
        number = this.#looks.length / numbersOfLook;
        const at = file * numbersOfLook;
        for (const one of looks.subarray(at, at + numbersOfLook)) this.#looks.push(one);
        this.#copied.set(file, number);
      }
      this.#files.push(number);
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
      looks: BigInt64Array.from(this.#looks),
    };
  }

  #begin(text: string): boolean {
    const id = idOf(text);
    if (this.#steps.has(id)) return false;
    this.#steps.add(id);
    this.#texts.push(text);
    this.#length += text.length;
    this.#textEnds.push(this.#length);
    return true;
  }
}
