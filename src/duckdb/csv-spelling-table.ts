// The states in which bytes of a CSV's field are met, as one table, and the spellings that a field can come to. Knows nothing of columns or types.

/** How a field is spelled. All others, and all that are quoted, are `other`. */
export type Spelling =
  | { readonly kind: "empty" | "other" }
  /** `-12.50`: digits before the point, without a zero in front, and behind it. */
  | { readonly kind: "number"; readonly whole: number; readonly fraction: number }
  /** `1.5e-07`: with a negative exponent. */
  | { readonly kind: "small" }
  /** `true`, `false` */
  | { readonly kind: "truth" }
  /** `2021-01-31`, from the year 1000 on */
  | { readonly kind: "day" }
  /** `2021-01-31 10:00:00`, with a blank or a `T`, and up to six digits of a second's fraction */
  | { readonly kind: "instant" };

const empty: Spelling = { kind: "empty" };
const other: Spelling = { kind: "other" };

/** The first is `empty`. */
export const spellings: readonly Spelling[] = [];

/** Classes of bytes: those that part fields, then those that a plain spelling may hold. */
const delimiterClass = 1;
const lineEnd = 2;
const carriageReturn = 3;
const quoteClass = 4;
const letters = ["0", "1", "2", "3", "45", "6789", ..."-.: TeEtrufals"];
const firstLetter = 5;
/** A power of two, and more than there are classes. */
const classCount = 32;

/** The class of each byte. */
export function byteClasses(delimiter: string, quote: string): Uint8Array {
  const classes = new Uint8Array(256);
  for (const [at, same] of letters.entries())
    for (const letter of same) classes[letter.charCodeAt(0)] = firstLetter + at;
  classes[10] = lineEnd;
  classes[13] = carriageReturn;
  if (quote !== "") classes[quote.charCodeAt(0)] = quoteClass;
  classes[delimiter.charCodeAt(0)] = delimiterClass;
  return classes;
}

/** In `transitions`, what is not less ends a field: the lowest bits are its spelling's place among `spellings`. */
export const ending = 0x8000;
/** What is not less ends a row as well. */
export const rowEnding = 0xc000;
/** What is here is no plain CSV. */
export const GIVEN_UP = 0xffff;
/** The bits of an end that are the place of a spelling. */
export const placeBits = 0x1fff;
/** The bit of an end that came with a CR. */
export const crBit = 0x2000;

/** A state under construction: its end as a spelling, and where letters lead. Elsewhere it is a text like any other. */
interface State {
  readonly ends: Spelling;
  readonly leads: Map<number, string>;
}

const states = new Map<string, State>();

function state(name: string, ends: Spelling, leads: Readonly<Record<string, string>>): void {
  const byClass = new Map<number, string>();
  for (const [same, to] of Object.entries(leads))
    for (const letter of same === "digit" ? "0123456789" : same)
      byClass.set(firstLetter + letters.findIndex((set) => set.includes(letter)), to);
  states.set(name, { ends, leads: byClass });
}

const mostWhole = 18;
/** With more digits before its point a number has no plain spelling with a fraction. */
const mostWholeOfFraction = 15;
const mostFraction = 20;

/** `sign` is empty or `-`. */
function numbers(sign: string): void {
  for (let whole = 0; whole <= mostWhole; whole++) {
    const digits = Math.max(1, whole);
    const isYear = sign === "" && whole === 4;
    state(
      `${sign}${whole}`,
      // A zero with a minus is no integer that would come back the same.
      sign === "-" && whole === 0 ? other : { kind: "number", whole: digits, fraction: 0 },
      {
        ...(whole > 0 && whole < mostWhole && { digit: `${sign}${whole + 1}` }),
        ...(digits <= mostWholeOfFraction && { ".": `${digits}.0`, eE: "e" }),
        ...(isYear && { "-": "month" }),
      },
    );
  }
}

function fractions(): void {
  for (let whole = 1; whole <= mostWholeOfFraction; whole++)
    for (let fraction = 0; fraction <= mostFraction; fraction++)
      state(`${whole}.${fraction}`, fraction === 0 ? other : { kind: "number", whole, fraction }, {
        ...(fraction < mostFraction && { digit: `${whole}.${fraction + 1}` }),
        ...(fraction > 0 && { eE: "e" }),
      });
  state("e", other, { "-": "e-" });
  state("e-", other, { digit: "e-1" });
  state("e-1", { kind: "small" }, { digit: "e-2" });
  state("e-2", { kind: "small" }, {});
}

function times(): void {
  state("month", other, { "0": "month0", "1": "month1" });
  state("month0", other, { "123456789": "month-" });
  state("month1", other, { "012": "month-" });
  state("month-", other, { "-": "day" });
  state("day", other, { "0": "day0", "12": "day1", "3": "day3" });
  state("day0", other, { "123456789": "whole day" });
  state("day1", other, { digit: "whole day" });
  state("day3", other, { "01": "whole day" });
  state("whole day", { kind: "day" }, { " T": "hour" });
  state("hour", other, { "01": "hour0", "2": "hour2" });
  state("hour0", other, { digit: "hour:" });
  state("hour2", other, { "0123": "hour:" });
  state("hour:", other, { ":": "minute" });
  state("minute", other, { "012345": "minute0" });
  state("minute0", other, { digit: "minute:" });
  state("minute:", other, { ":": "second" });
  state("second", other, { "012345": "second0" });
  state("second0", other, { digit: "whole second" });
  state("whole second", { kind: "instant" }, { ".": "second.0" });
  for (let digits = 0; digits <= 6; digits++)
    state(`second.${digits}`, digits === 0 ? other : { kind: "instant" }, {
      ...(digits < 6 && { digit: `second.${digits + 1}` }),
    });
}

function truths(): void {
  for (const word of ["true", "false"])
    for (let length = 1; length <= word.length; length++)
      state(word.slice(0, length), length === word.length ? { kind: "truth" } : other, {
        ...(length < word.length && { [word[length]!]: word.slice(0, length + 1) }),
      });
}

function build(): Uint16Array {
  state("start", empty, { "0": "0", "123456789": "1", "-": "-", t: "t", f: "f" });
  state("text", other, {});
  state("-", other, { "0": "-0", "123456789": "-1" });
  numbers("");
  numbers("-");
  fractions();
  times();
  truths();
  const names = new Map([...states.keys(), "quoted", "closing"].map((name, at) => [name, at]));
  const placeOf = (name: string) => names.get(name)! * classCount;
  const places = new Map<string, number>();
  const placeOfEnd = (spelling: Spelling): number => {
    const key = JSON.stringify(spelling);
    if (!places.has(key)) places.set(key, (spellings as Spelling[]).push(spelling) - 1);
    return places.get(key)!;
  };
  const endAt = (row: Uint16Array, spelling: Spelling): void => {
    const place = placeOfEnd(spelling);
    row[delimiterClass] = ending + place;
    row[lineEnd] = rowEnding + place;
    row[carriageReturn] = rowEnding + crBit + place;
  };
  const table = new Uint16Array(names.size * classCount).fill(placeOf("text"));
  for (const [name, { ends, leads }] of states) {
    const row = table.subarray(placeOf(name), placeOf(name) + classCount);
    endAt(row, ends);
    row[quoteClass] = name === "start" ? placeOf("quoted") : GIVEN_UP;
    for (const [letter, to] of leads) row[letter] = placeOf(to);
  }
  const quoted = table.subarray(placeOf("quoted"), placeOf("quoted") + classCount).fill(placeOf("quoted"));
  quoted[quoteClass] = placeOf("closing");
  const closing = table.subarray(placeOf("closing"), placeOf("closing") + classCount).fill(GIVEN_UP);
  closing[quoteClass] = placeOf("quoted");
  endAt(closing, other);
  return table;
}

/** `start` is the first of the states. */
export const START = 0;

/** By a state's place plus the class of the next byte, where that leads: another state's place, or an end. */
export const transitions: Uint16Array = build();
