// Cells of dates, times and intervals: DuckDB counts from 1970, Postgres from 2000, and each has its own range and infinities. Knows nothing of other types.
import { DuckDBDateValue, DuckDBTimestampValue } from "@duckdb/node-api";
import { CellError, type FixedFormat, isNull, nullLength } from "./copy-cells.js";

/** Days from 1970-01-01 to 2000-01-01. */
const epochDays = 10_957;
const epochMicros = 946_684_800_000_000;
const epochHigh = Math.floor(epochMicros / 2 ** 32);
const epochLow = epochMicros % 2 ** 32;

// Postgres' dates and timestamps start on 4714-11-24 BC (julian day 0) and dates end in 5874897 (datatype/timestamp.h).
const firstDay = -2_440_588;
const lastDay = 2_145_042_905;
const firstMicros = -211_813_488_000_000_000n;
/** Of the micros above. */
const firstHigh = Number(firstMicros >> 32n);
const infinityDays = 2 ** 31 - 1;
const infinityMicros = 2n ** 63n - 1n;

export const date: FixedFormat<Int32Array> = {
  width: 4,
  stride: 4,
  words: Int32Array,
  write: (view, at, words, { from, to, validity }) => {
    for (let i = from; i < to; i++) {
      const start = at[i]!;
      if (validity && isNull(validity, i)) {
        view.setInt32(start, nullLength);
        at[i] = start + 4;
      } else {
        const days = words[i]!;
        view.setInt32(start, 4);
        view.setInt32(start + 4, days < firstDay || days > lastDay ? farDate(days, i) : days - epochDays);
        at[i] = start + 8;
      }
    }
  },
};

function farDate(days: number, index: number): number {
  if (days === infinityDays) return infinityDays;
  if (days === -infinityDays) return -infinityDays - 1;
  throw new CellError(
    index,
    new DuckDBDateValue(days).toString(),
    "is outside the dates that Postgres has, 4714-11-24 BC to 5874897-12-31",
  );
}

export const timestamp: FixedFormat<Int32Array> = {
  width: 8,
  stride: 8,
  words: Int32Array,
  write: (view, at, words, { from, to, validity }) => {
    for (let i = from; i < to; i++) {
      const start = at[i]!;
      if (validity && isNull(validity, i)) {
        view.setInt32(start, nullLength);
        at[i] = start + 4;
        continue;
      }
      const low = (words[2 * i]! >>> 0) - epochLow;
      const high = words[2 * i + 1]! - epochHigh - (low < 0 ? 1 : 0);
      view.setInt32(start, 8);
      if (high <= firstHigh || words[2 * i + 1] === infinityDays) {
        view.setBigInt64(start + 4, farTimestamp(words[2 * i + 1]!, words[2 * i]!, i));
      } else {
        view.setInt32(start + 4, high);
        view.setInt32(start + 8, low);
      }
      at[i] = start + 12;
    }
  },
};

function farTimestamp(high: number, low: number, index: number): bigint {
  const micros = BigInt(high) * 2n ** 32n + BigInt(low >>> 0);
  if (micros === infinityMicros) return infinityMicros;
  if (micros === -infinityMicros) return -infinityMicros - 1n;
  const shifted = micros - BigInt(epochMicros);
  if (shifted >= firstMicros) return shifted;
  throw new CellError(
    index,
    new DuckDBTimestampValue(micros).toString(),
    "is before the first timestamp that Postgres has, 4714-11-24 BC",
  );
}

/**
 * DuckDB packs the time of day (40 bits, in microseconds) above the offset (24 bits, seconds, counted down from
 * 15:59:59 east); Postgres has the zone as seconds west.
 */
export const timetz: FixedFormat<Int32Array> = {
  width: 12,
  stride: 8,
  words: Int32Array,
  write: (view, at, words, { from, to, validity }) => {
    for (let i = from; i < to; i++) {
      const start = at[i]!;
      if (validity && isNull(validity, i)) {
        view.setInt32(start, nullLength);
        at[i] = start + 4;
      } else {
        const low = words[2 * i]!;
        const high = words[2 * i + 1]!;
        view.setInt32(start, 12);
        view.setInt32(start + 4, high >>> 24);
        view.setInt32(start + 8, (high << 8) | (low >>> 24));
        view.setInt32(start + 12, (low & 0xffffff) - 57_599);
        at[i] = start + 16;
      }
    }
  },
};

/** DuckDB: months, days, microseconds. Postgres the other way round. */
export const interval: FixedFormat<Int32Array> = {
  width: 16,
  stride: 16,
  words: Int32Array,
  write: (view, at, words, { from, to, validity }) => {
    for (let i = from; i < to; i++) {
      const start = at[i]!;
      if (validity && isNull(validity, i)) {
        view.setInt32(start, nullLength);
        at[i] = start + 4;
      } else {
        view.setInt32(start, 16);
        view.setInt32(start + 4, words[4 * i + 3]!);
        view.setInt32(start + 8, words[4 * i + 2]!);
        view.setInt32(start + 12, words[4 * i + 1]!);
        view.setInt32(start + 16, words[4 * i]!);
        at[i] = start + 20;
      }
    }
  },
};
