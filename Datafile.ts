// Three months of New York's green taxis: downloaded, turned into parquet, loaded into Postgres exactly once.
//
//   npx dmake                      build everything that is stale
//   npx dmake trips                only the parquet files
//   npx dmake source=https://…     from the real publisher instead of data/sample
import { download, months, param, parquet, sql, table } from "dmake";

/** Where the files are published. The default is the sample beside this file. */
const source = param("source", "file:data/sample");

/** The raw files, as published. */
export const raw = download("data/raw/green_{month}.csv.gz", {
  where: { month: months("2023-01", "2023-03") },
  url: ({ month }) => `${source}/green_tripdata_${month}.csv.gz`,
});

/** The same rows in columns. `ehail_fee` is empty in all three months, so its type cannot be seen in the data. */
export const trips = parquet("data/parquet/green_{month}.parquet", {
  from: raw,
  columns: { ehail_fee: "DOUBLE" },
});

/** One partition a month. */
export const loaded = table("table:green_trips/{month}", { from: trips });

export const zones = download("data/raw/zones.csv", { url: `${source}/taxi_zone_lookup.csv` });

export const places = table("table:zones", { from: zones });

/** Made in the database, and made again when a month says something else. */
export const monthly = sql(
  "table:monthly_trips",
  { from: loaded.all() },
  ({ $ }) => $`
    select month, count(*) as trips, round(avg(total_amount)::numeric, 2) as mean_amount
      from green_trips group by month`,
);

export default [loaded, places];
