// What the compiler says of pools, patience and recipes that write in place. Not run: the line after each mark must not compile.
import { download, type Pool, type PoolPlaces, parquet, pool, script, sh, table } from "dmake";

const downloads = pool("downloads", 2);
const month = ["2024-01"];

// Each kind of rule takes them, in each form.
export const raw = download("raw/{month}.csv", {
  where: { month },
  url: "https://example.org/{month}.csv",
  pool: downloads,
  timeout: "30 s",
  retries: 5,
});
export const trips = parquet("{month}.parquet", {
  from: raw,
  pool: "cpu",
  timeout: "10 min",
  retries: { times: 3, pause: "5 s" },
});
export const loaded = table("table:trips/{month}", { from: trips, pool: { db: 2, cpu: 4 }, retries: 3 });
export const report = sh("report", { pool: [downloads, "db"], timeout: 1000 }, ({ $ }) => $`true`);
export const edited = script("edited", { pool: { [downloads.name]: downloads.size } }, () => {});
export const mirror = sh("mirror/", { inPlace: true }, ({ $, output }) => $`rsync x ${output}/`);
export const model = script("model", { inPlace: month.length > 1 }, () => {});

const places: PoolPlaces = ["db", downloads];
export const kept: Pool = downloads;
sh("places", { pool: places }, ({ $ }) => $`true`);

// @ts-expect-error a pool has a name and a size
pool("downloads");
// @ts-expect-error its size is a number
pool("downloads", "2");
// @ts-expect-error its name is a text
pool(2, 2);
// @ts-expect-error counts are numbers
sh("a", { pool: { downloads: "2" } }, ({ $ }) => $`true`);
// @ts-expect-error of each pool
sh("a", { pool: { downloads: 2, db: undefined } }, ({ $ }) => $`true`);
// @ts-expect-error a number names no pool
sh("a", { pool: 2 }, ({ $ }) => $`true`);
// @ts-expect-error nor in a list
sh("a", { pool: ["db", 2] }, ({ $ }) => $`true`);
// @ts-expect-error counts stand in one object, and not in a list of them
sh("a", { pool: [{ downloads: 2 }] }, ({ $ }) => $`true`);
// @ts-expect-error a rule is no pool
sh("a", { pool: raw }, ({ $ }) => $`true`);
// @ts-expect-error nor is its name in a list with a rule
parquet("a.parquet", { from: "a.csv", pool: ["db", raw] });
// @ts-expect-error nor what only looks like a pool
sh("a", { pool: { kind: "pool", name: "downloads" } }, ({ $ }) => $`true`);
// @ts-expect-error a pool cannot be given another size
downloads.size = 3;
// @ts-expect-error how often is a number
script("a", { retries: "3" }, () => {});
// @ts-expect-error and must be said
table("table:a", { from: "a.csv", retries: { pause: "5 s" } });
// @ts-expect-error nothing else can be said of it
parquet("a.parquet", { from: "a.csv", retries: { times: 3, factor: 2 } });
// @ts-expect-error a download waits as long as the server says
download("a", { url: "https://example.org", retries: { times: 3 } });
// @ts-expect-error how long is a text or a number
sh("a", { timeout: { minutes: 3 } }, ({ $ }) => $`true`);
// @ts-expect-error a download is always made aside
download("a", { url: "https://example.org", inPlace: true });
// @ts-expect-error a parquet file too
parquet("a.parquet", { from: "a.csv", inPlace: true });
// @ts-expect-error and a table is loaded in one transaction
table("table:a", { from: "a.csv", inPlace: true });
// @ts-expect-error it is so or it is not
sh("a", { inPlace: "yes" }, ({ $ }) => $`true`);
