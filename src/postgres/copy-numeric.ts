// Writes Postgres' numeric (digits in base 10,000) from DuckDB's integers and decimals of any width, and from decimal text. Knows nothing of rows.
import { DuckDBVarCharVector } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";
import type { Payloads, Scratch } from "./copy-scratch.js";

const base = 10_000;
const negativeSign = 0x4000;
const specialSigns: Readonly<Record<string, number>> = { nan: 0xc000, inf: 0xd000, "-inf": 0xf000 };

/** Digits of one value, least significant first, reused for each: 128 bits and a factor of 1,000 are 11 of them. */
const digits = new Uint16Array(16);
/** The same value in base 65,536, while digits are taken from it: 128 bits and the factor. */
const limbs = new Uint16Array(9);

/** How an integer is kept in a vector, and where its decimal point stands. */
export interface ScaledFormat {
  readonly bytes: 2 | 4 | 8 | 16;
  readonly signed: boolean;
  readonly scale: number;
}

/** Integers that stand for decimals: 1234 of scale 2 is 12.34. */
export class ScaledPayloads implements Payloads {
  private words: Uint16Array = new Uint16Array(0);
  private readonly wordsPerValue: number;
  /** Digits of four behind the point. */
  private readonly fraction: number;
  /** Makes the point stand between two digits of four. */
  private readonly factor: number;

  constructor(private readonly format: ScaledFormat) {
    this.wordsPerValue = format.bytes / 2;
    this.fraction = Math.ceil(format.scale / 4);
    this.factor = 10 ** (4 * this.fraction - format.scale);
  }

  load(vector: duckdb.Vector, count: number): void {
    const data = duckdb.vector_get_data(vector, count * this.format.bytes);
    this.words = new Uint16Array(data.buffer, data.byteOffset, count * this.wordsPerValue);
  }

  append(scratch: Scratch, index: number): void {
    const { words, wordsPerValue, fraction } = this;
    const first = index * wordsPerValue;
    const negative = this.format.signed && words[first + wordsPerValue - 1]! >= 0x8000;
    const size = this.magnitude(first, negative);
    const count = size <= 3 ? smallDigits(size) : largeDigits(size);
    writeDigits(scratch, count, { negative, fraction, scale: this.format.scale });
  }

  /** Puts the value without its sign, times the factor, into the limbs, and answers how many of them count. */
  private magnitude(first: number, negative: boolean): number {
    const { words, wordsPerValue, factor } = this;
    // Two's complement is turned over word by word, plus one.
    let carry = negative ? 1 : 0;
    let over = 0;
    let size = 0;
    for (let k = 0; k < wordsPerValue; k++) {
      const word = negative ? (words[first + k]! ^ 0xffff) + carry : words[first + k]!;
      carry = negative && word > 0xffff ? 1 : 0;
      const product = (word & 0xffff) * factor + over;
      limbs[k] = product;
      over = product >>> 16;
      if (product & 0xffff) size = k + 1;
    }
    limbs[wordsPerValue] = over;
    return over > 0 ? wordsPerValue + 1 : size;
  }
}

/** Takes a value of up to three limbs, 48 bits, which a number holds exactly, apart. Answers how many digits it has. */
function smallDigits(size: number): number {
  let value = 0;
  for (let k = size - 1; k >= 0; k--) value = value * 65_536 + limbs[k]!;
  let count = 0;
  while (value > 0xffffffff) {
    const quotient = Math.floor(value / base);
    digits[count++] = value - quotient * base;
    value = quotient;
  }
  // 32 bits are divided as integers.
  let rest = value >>> 0;
  while (rest > 0) {
    const quotient = (rest / base) >>> 0;
    digits[count++] = rest - quotient * base;
    rest = quotient;
  }
  return count;
}

/** Long division by the base until what is left is small. Answers how many digits there are. */
function largeDigits(size: number): number {
  let top = size;
  let count = 0;
  while (top > 0) {
    let rest = 0;
    for (let k = top - 1; k >= 0; k--) {
      const part = rest * 65_536 + limbs[k]!;
      const quotient = (part / base) >>> 0;
      limbs[k] = quotient;
      rest = part - quotient * base;
    }
    digits[count++] = rest;
    while (top > 0 && limbs[top - 1] === 0) top--;
  }
  return count;
}

interface Shape {
  readonly negative: boolean;
  /** How many of the digits are behind the point. */
  readonly fraction: number;
  /** Decimal places to show. */
  readonly scale: number;
}

function writeDigits(scratch: Scratch, count: number, { negative, fraction, scale }: Shape): void {
  let lowest = 0;
  while (lowest < count && digits[lowest] === 0) lowest++;
  const size = count - lowest;
  const bytes = scratch.reserve(8 + 2 * size);
  let at = put(bytes, scratch.length, size);
  at = put(bytes, at, size === 0 ? 0 : count - 1 - fraction);
  at = put(bytes, at, negative && size > 0 ? negativeSign : 0);
  at = put(bytes, at, scale);
  for (let k = count - 1; k >= lowest; k--) at = put(bytes, at, digits[k]!);
  scratch.length = at;
}

/** Two bytes, the higher one first: `writeInt16BE` checks its arguments each time (200 ns a value with it, 125 without). */
function put(bytes: Uint8Array, at: number, word: number): number {
  bytes[at] = word >> 8;
  bytes[at + 1] = word;
  return at + 2;
}

/** Decimal text of any length, as `-1.5e-07`, `inf`: what DuckDB writes for doubles and for integers of any size. */
export class NumericTextPayloads implements Payloads {
  private texts: DuckDBVarCharVector | undefined;

  load(vector: duckdb.Vector, count: number): void {
    this.texts = DuckDBVarCharVector.fromRawVector(vector, count);
  }

  append(scratch: Scratch, index: number): void {
    const text = this.texts!.getItem(index)!;
    const special = specialSigns[text];
    const bytes = special === undefined ? numericOf(text) : wordsToBytes([0, 0, special, 0]);
    bytes.copy(scratch.reserve(bytes.length), scratch.length);
    scratch.length += bytes.length;
  }
}

function numericOf(text: string): Buffer {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/.exec(text);
  if (!parts) throw new Error(`bug: \`${text}\` is not a decimal number`);
  const [, sign, whole = "", behind = "", exponent = "0"] = parts;
  const all = whole + behind;
  const point = whole.length + Number(exponent);
  const scale = Math.max(0, all.length - point);
  const left = "0".repeat(Math.max(0, -point)) + all;
  const padded = left.padEnd(point, "0");
  const wholeDigits = Math.max(point, 0);
  const lead = (4 - (wholeDigits % 4)) % 4;
  const aligned = "0".repeat(lead) + padded;
  const groups = aligned
    .padEnd(Math.ceil(aligned.length / 4) * 4, "0")
    .match(/.{4}/g)!
    .map(Number);
  const first = groups.findIndex((group) => group !== 0);
  if (first < 0) return wordsToBytes([0, 0, 0, scale]);
  const last = groups.findLastIndex((group) => group !== 0);
  const weight = (wholeDigits + lead) / 4 - 1 - first;
  const kept = groups.slice(first, last + 1);
  return wordsToBytes([kept.length, weight & 0xffff, sign === "-" ? negativeSign : 0, scale, ...kept]);
}

function wordsToBytes(words: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * words.length);
  for (const [index, word] of words.entries()) bytes.writeUInt16BE(word, 2 * index);
  return bytes;
}
