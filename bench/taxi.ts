// Makes a month of yellow taxi trips as the TLC publishes them, from a seed: same arguments, same rows. Knows nothing of what is measured with it.
import { openSession, quoteIdentifier, quoteText, type Session } from "../src/duckdb/session.js";

/** The schema of yellow_tripdata since 2019, as DuckDB spells it. */
export const taxiColumns: Readonly<Record<string, string>> = {
  VendorID: "BIGINT",
  tpep_pickup_datetime: "TIMESTAMP",
  tpep_dropoff_datetime: "TIMESTAMP",
  passenger_count: "DOUBLE",
  trip_distance: "DOUBLE",
  RatecodeID: "DOUBLE",
  store_and_fwd_flag: "VARCHAR",
  PULocationID: "BIGINT",
  DOLocationID: "BIGINT",
  payment_type: "BIGINT",
  fare_amount: "DOUBLE",
  extra: "DOUBLE",
  mta_tax: "DOUBLE",
  tip_amount: "DOUBLE",
  tolls_amount: "DOUBLE",
  improvement_surcharge: "DOUBLE",
  total_amount: "DOUBLE",
  congestion_surcharge: "DOUBLE",
};

/**
 * Uniform in [0, 1): DuckDB's `random()` cannot be repeated over threads. 53 bits of a hash of the row and the use.
 * `hash` is not promised to stay the same from one version of DuckDB to the next; the exact version is pinned.
 */
const uniform = (use: string, seed: number): string =>
  `((hash(i, ${quoteText(use)}, ${seed}) >> 11)::DOUBLE / 9007199254740992)`;

/**
 * Trips of January 2021. Distances and fares are long-tailed, a few are zero or negative, 7 % of the rows lack five
 * columns together, in blocks (the TLC appends the records of one kind), and a few trips are dated outside their month.
 */
function trips(rows: number, seed: number): string {
  const random = (use: string) => uniform(use, seed);
  return `
    WITH dice AS (
      SELECT i, (i // 4096) % 14 = 13 AS bare, ${random("when")} AS r_when, ${random("far")} AS r_far, ${random("odd")} AS r_odd,
        ${random("pay")} AS r_pay, ${random("tip")} AS r_tip, ${random("pax")} AS r_pax, ${random("from")} AS r_from,
        ${random("to")} AS r_to, ${random("extra")} AS r_extra
      FROM range(${rows}) t(i)
    ), trip AS (
      SELECT *, round(CASE WHEN r_odd < 0.01 THEN 0 ELSE 0.3 - 2.4 * ln(1 - r_far) END, 2) AS miles,
        TIMESTAMP '2021-01-01' + to_seconds(CAST(floor(r_when * 2678400) AS BIGINT)) + CASE WHEN r_odd > 0.99999 THEN INTERVAL (-12) YEAR ELSE INTERVAL 0 DAY END AS pickup
      FROM dice
    ), priced AS (
      SELECT *, round((2.5 + floor(miles * 5) * 0.5 + floor(r_far * 8) * 0.5) * CASE WHEN r_odd > 0.996 THEN -1 ELSE 1 END, 2) AS fare,
        [0.0, 0.5, 1.0, 2.5, 3.5][1 + CAST(floor(r_extra * 5) AS INTEGER)]::DOUBLE AS extra,
        CASE WHEN r_odd > 0.97 THEN 6.12 ELSE 0.0 END::DOUBLE AS tolls,
        CASE WHEN r_pay < 0.7 THEN 1 WHEN r_pay < 0.97 THEN 2 WHEN r_pay < 0.99 THEN 3 ELSE 4 END AS payment
      FROM trip
    ), tipped AS (
      SELECT *, CASE WHEN payment = 1 THEN round(abs(fare) * r_tip * 0.4, 2) ELSE 0 END::DOUBLE AS tip FROM priced
    )
    SELECT CAST(CASE WHEN r_from < 0.33 THEN 1 ELSE 2 END AS BIGINT) AS "VendorID",
      pickup AS tpep_pickup_datetime,
      pickup + to_seconds(CAST(60 + floor(miles * 240 + r_to * 600) AS BIGINT)) AS tpep_dropoff_datetime,
      CASE WHEN bare THEN NULL WHEN r_pax < 0.02 THEN 0 WHEN r_pax < 0.76 THEN 1 ELSE 2 + floor((r_pax - 0.76) * 16) END::DOUBLE AS passenger_count,
      miles AS trip_distance,
      CASE WHEN bare THEN NULL WHEN r_odd > 0.98 THEN 2 WHEN r_odd > 0.975 THEN 5 ELSE 1 END::DOUBLE AS "RatecodeID",
      CASE WHEN bare THEN NULL WHEN r_pax > 0.99 THEN 'Y' ELSE 'N' END AS store_and_fwd_flag,
      CAST(1 + floor(r_from * 265) AS BIGINT) AS "PULocationID",
      CAST(1 + floor(r_to * 265) AS BIGINT) AS "DOLocationID",
      CAST(CASE WHEN bare THEN 0 ELSE payment END AS BIGINT) AS payment_type,
      fare AS fare_amount, extra, CASE WHEN r_odd > 0.996 THEN -0.5 ELSE 0.5 END::DOUBLE AS mta_tax, tip AS tip_amount,
      tolls AS tolls_amount, 0.3::DOUBLE AS improvement_surcharge,
      round(fare + extra + 0.5 + tip + tolls + 0.3, 2) AS total_amount,
      CASE WHEN bare THEN NULL WHEN r_from < 0.08 THEN 0.0 ELSE 2.5 END::DOUBLE AS congestion_surcharge
    FROM tipped`;
}

/** Writes the month as parquet, CSV or CSV.gz, by the path's ending. The CSV has a header, and Postgres' COPY reads it as it is. */
export async function writeTaxiMonth(path: string, rows: number, seed: number): Promise<void> {
  const session = await openSession({ threads: 1 });
  try {
    const columns = Object.entries(taxiColumns).map(
      ([name, type]) => `CAST(${quoteIdentifier(name)} AS ${type}) AS ${quoteIdentifier(name)}`,
    );
    await write(session, path, `SELECT ${columns.join(", ")} FROM (${trips(rows, seed)})`);
  } finally {
    session.close();
  }
}

async function write(session: Session, path: string, select: string): Promise<void> {
  const packed = path.endsWith(".gz") ? ", COMPRESSION gzip" : "";
  const format = path.endsWith(".parquet")
    ? "FORMAT parquet, COMPRESSION snappy"
    : `FORMAT csv, HEADER${packed}`;
  await session.connection.run(`COPY (${select}) TO ${quoteText(path)} (${format})`);
}
