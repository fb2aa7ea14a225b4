// What the compiler says about wildcards and options: each wrong line stands under an expected error, each right one under none. Never run.
import {
  download,
  type Glob,
  glob,
  months,
  type Optional,
  optional,
  parquet,
  type RuleHandle,
  type Selection,
  script,
  sh,
  table,
  valuesIn,
} from "dmake";

const month = months("2023-01", "2023-03");

export const raw = download("raw/{color}_{month}.csv", {
  where: { color: ["green"], month },
  url: ({ color, month }) => `https://example.org/${color}_${month}.csv`,
});
export const zones = download("raw/zones.csv", { url: "https://example.org/zones.csv" });
export const plainUrl = download("raw/{month}.csv", { url: "https://example.org/{month}.csv" });

// A handle carries the wildcards of its target, and rules of the same wildcards may take it.
raw satisfies RuleHandle<"color" | "month">;
export const trips: RuleHandle<"color" | "month"> = parquet("data/{color}_{month}.parquet", { from: raw });
export const byName = parquet("data/{month}.parquet", { from: "raw/green_{month}.csv", after: zones });
export const loaded = table("table:{color}_trips/{month}", {
  from: trips,
  after: [zones, "raw/green_{month}.csv"],
});
export const explicit: RuleHandle = table("table:zones", { from: zones });

// Selections need only the wildcards that stand in their values.
export const whole: Selection = raw.all();
export const green: Selection = raw.all({ color: "green" });
export const several: Selection = raw.all({ color: ["green", "yellow"] });
export const one: Selection = raw({ color: "green", month: "2023-01" });
export const renamed: Selection<"m"> = raw({ color: "green", month: "{m}" });
export const report = sh(
  ["report/{m}.txt", "report/{m}.log"],
  { from: [renamed, green, zones], where: { m: month } },
  ({ $, inputs, outputs, params }) => $`echo ${params.m} ${inputs} > ${outputs}`,
);
export const index = script("index/{color}.json", { from: raw.all({ color: "{color}" }) }, ({ params }) => {
  params.color satisfies string;
});

// Globs and optional inputs carry the wildcards that stand in them.
export const found: Glob<"color"> = glob("raw/{color}_*.csv");
export const local: Optional<"m"> = optional("config/{m}.json");
export const either: Optional<"color" | "month"> = optional(raw);
export const noneOrAll: Optional = optional(raw.all());
export const merged = sh(
  "merged/{color}/",
  {
    from: [found, optional("notes/{color}.txt"), optional(glob("extra/{color}/**")), raw.all()],
    after: glob("*.x"),
  },
  ({ $, inputs, output }) => $`cp ${inputs} ${output}`,
);

// What a recipe reads besides its inputs.
interface Config {
  readonly limit: number;
  readonly names?: readonly string[];
}
declare const config: Config;
declare const untyped: unknown;
export const counted = script(
  "counted/{month}.json",
  {
    uses: ["sql/{month}.sql", "lib/clean.ts", zones, raw.all({ month: "{month}" })],
    env: ["MODE"],
    values: { limit: 10, config, nested: { list: [1, "two", null, true] }, untyped },
    sameness: "bytes",
  },
  async ({ need }) => {
    const [settings, rows] = await need("config/x.json", "table:zones", "data/a.csv");
    settings satisfies string;
    rows satisfies string;
    (await need("table:zones")) satisfies readonly [];
    (await need(...["a.csv", "b.csv"])) satisfies readonly string[];
    (await need(dynamic, "b.csv")) satisfies readonly string[];
    // @ts-expect-error of two files there are two paths
    (await need("a.csv", "b.csv"))[2];
    // @ts-expect-error names are texts
    await need(raw);
  },
);
export const compiled = sh(
  "bin/{m}",
  { from: "src/{m}.c", depfile: true, version: "2", where: { m: month }, values: { limit: 1 } },
  ({ $, depfile, params }) => $`cc ${params.m} ${depfile}`,
);

// A list of values, read from one file.
export const listed = download("listed/{m}.csv", {
  where: { m: valuesIn(zones, (text) => text.split(",")) },
  url: "https://example.org/{m}.csv",
});
valuesIn("data/index.txt");
valuesIn(raw({ color: "green", month: "2023-01" }));

// Names that are put together at run time are checked when they are declared, not before.
declare const dynamic: string;
export const late = parquet(dynamic, { from: "raw/{month}.csv", where: { month } });
export const later = download(dynamic, { url: ({ month }) => `https://example.org/${month}` });
export const ofLate = parquet("out/{month}.parquet", { from: late });
export const fromLate = parquet("out/a.parquet", { from: dynamic });

// @ts-expect-error the target does not bind {color}
parquet("data/{month}.parquet", { from: raw });
// @ts-expect-error nor does a name
parquet("data/{month}.parquet", { from: "raw/{color}_{month}.csv" });
// @ts-expect-error an explicit target binds nothing
parquet("data/all.parquet", { from: raw });
// @ts-expect-error in a list as well
sh("data/{month}.txt", { from: [zones, raw] }, ({ $ }) => $`true`);
// @ts-expect-error in a selection's value
sh("data/{month}.txt", { from: raw.all({ color: "{color}" }) }, ({ $ }) => $`true`);
// @ts-expect-error in one target of another rule
parquet("data/{month}.parquet", { from: raw({ color: "{colour}", month: "{month}" }) });
// @ts-expect-error in order-only inputs
parquet("data/{month}.parquet", { from: "raw/green_{month}.csv", after: raw });
// @ts-expect-error in a list of them
table("table:trips/{month}", { from: "raw/green_{month}.csv", after: [zones, raw] });
// @ts-expect-error in a URL
download("raw/{month}.csv", { url: "https://example.org/{color}_{month}.csv" });
// @ts-expect-error in the values that a URL is made of
download("raw/{month}.csv", { url: ({ color }) => `https://example.org/${color}.csv` });
// @ts-expect-error in the values that a digest is made of
download("raw/{month}.csv", { url: "https://example.org", sha256: ({ color }) => color });
// @ts-expect-error in `where`
parquet("data/{month}.parquet", { from: "raw/{month}.csv", where: { color: ["green"] } });
// @ts-expect-error in the `where` of an explicit target
parquet("data/all.parquet", { from: zones, where: { color: ["green"] } });
// @ts-expect-error in a recipe's `params`
sh("data/{month}.txt", { from: zones }, ({ $, params }) => $`echo ${params.color}`);
// @ts-expect-error in a function's
script("data/{month}.txt", {}, ({ params }) => console.log(params.color));
// @ts-expect-error a rule has no such wildcard to pick
raw.all({ year: "2023" });
// @ts-expect-error nor to bind
raw({ color: "green", month: "2023-01", year: "2023" });
// @ts-expect-error one target needs a value for every wildcard
raw({ color: "green" });
// @ts-expect-error a table's name begins with `table:`
table("trips/{month}", { from: raw });
// @ts-expect-error a table is made from something
table("table:trips", {});
// @ts-expect-error so is a parquet file
parquet("data/a.parquet", {});
// @ts-expect-error a domain is a list of texts
parquet("data/{n}.parquet", { from: "raw/{n}.csv", where: { n: [1, 2] } });
// @ts-expect-error what is neither text, number, list nor command has no place in a command
sh("data/a.txt", {}, ({ $ }) => $`echo ${{ a: 1 }}`);
// @ts-expect-error a text put together by hand is no command
sh("data/a.txt", {}, ({ output }) => `date > ${output}`);
// @ts-expect-error the target does not bind {color} of a glob
sh("data/{month}.txt", { from: glob("raw/{color}_*.csv") }, ({ $ }) => $`true`);
// @ts-expect-error nor that of an optional one
sh("data/{month}.txt", { from: [optional(glob("raw/{color}_*.csv"))] }, ({ $ }) => $`true`);
// @ts-expect-error of an optional name
sh("data/{month}.txt", { from: optional("raw/{color}.csv") }, ({ $ }) => $`true`);
// @ts-expect-error of an optional rule
sh("data/{month}.txt", { from: optional(raw) }, ({ $ }) => $`true`);
// @ts-expect-error of an optional selection
parquet("data/{month}.parquet", { from: optional(raw.all({ color: "{color}" })) });
// @ts-expect-error of what a recipe uses
sh("data/{month}.txt", { uses: "sql/{color}.sql" }, ({ $ }) => $`true`);
// @ts-expect-error in a list of that
script("data/{month}.txt", { uses: ["a.sql", raw] }, () => {});
// @ts-expect-error braces are wildcards in a glob
sh("data/a.txt", { from: glob("raw/{a,b}.csv") }, ({ $ }) => $`true`);
// @ts-expect-error optional takes one input
optional(42);
// @ts-expect-error without `depfile: true` there is no depfile
sh("data/a.txt", {}, ({ $, depfile }) => $`cc ${depfile}`);
// @ts-expect-error nor with `false`
sh("data/a.txt", { depfile: false }, ({ $, depfile }) => $`cc ${depfile}`);
// @ts-expect-error a function writes none
script("data/a.txt", { depfile: true }, () => {});
// @ts-expect-error variables are a list
sh("data/a.txt", { env: "MODE" }, ({ $ }) => $`true`);
// @ts-expect-error a version is a text
sh("data/a.txt", { version: 2 }, ({ $ }) => $`true`);
// @ts-expect-error the same values, or the same bytes
parquet("data/a.parquet", { from: zones, sameness: "rows" });
// @ts-expect-error a table has no bytes
table("table:zones", { from: zones, sameness: "bytes" });
// @ts-expect-error JSON cannot say what a function does
script("data/a.txt", { values: { clean: () => 1 } }, () => {});
// @ts-expect-error nor what is in a map
script("data/a.txt", { values: { config: { limits: new Map([["a", 1]]) } } }, () => {});
// @ts-expect-error nor in a set of a list
sh("data/a.txt", { values: { sets: [new Set(["a"])] } }, ({ $ }) => $`true`);
// @ts-expect-error values have names
script("data/a.txt", { values: [1, 2] }, () => {});
// @ts-expect-error a list of values is read from one file, and not from one for each color
valuesIn(raw);
// @ts-expect-error nor from a name with wildcards
valuesIn("index/{color}.txt");
// @ts-expect-error nor from all that a glob finds
valuesIn(glob("index/*.txt"));
// @ts-expect-error values are texts
valuesIn("index.txt", (text) => [text.length]);
