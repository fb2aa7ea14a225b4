// What the compiler says about `sql`: each wrong line stands under an expected error, each right one under none. Never run.
import { months, optional, type RuleHandle, type Selection, sql, table } from "dmake";

const month = months("2023-01", "2023-03");
export const loaded = table("table:trips/{month}", { from: "{month}.csv", where: { month } });

export const daily: RuleHandle<"month"> = sql(
  "table:daily/{month}",
  {
    from: loaded,
    key: ["day"],
    indexes: ["day"],
    strategy: "swap",
    contract: "freeze",
    timeout: "5 min",
    retries: 2,
  },
  ({ $, input, inputs, output, params }) => {
    params.month satisfies string;
    const each = inputs.map(
      (one) => $`select ${params.month}, ${1}, ${true}, ${null}, ${["a", 1]} from ${one}`,
    );
    return $`${$.join(each, $` union all `)} where ${$.name("t", "x")} in (table ${$.table("zones")}, ${input}, ${output})`;
  },
);
export const total: RuleHandle = sql("table:total", {
  from: daily.all(),
  file: "sql/total.sql",
  values: { n: 5, s: "x" },
});
export const one: Selection = daily({ month: "2023-01" });
export const view: RuleHandle = sql(
  "view:recent",
  {
    from: [one, total, optional("table:x")],
    after: loaded.all(),
    comment: "Ours.",
    grants: { reader: "SELECT" },
  },
  ({ $, input }) => $`select * from ${input}`,
);
export const byFile = sql("table:m/{month}", {
  uses: "{month}.txt",
  file: "sql/{month}.sql",
  partitionColumn: "of",
});

// @ts-expect-error: no table and no view
sql("data/x.csv", {}, ({ $ }) => $`select 1`);
// @ts-expect-error: the target does not bind the month
sql("table:x", { from: loaded }, ({ $ }) => $`select 1`);
// @ts-expect-error: the target does not bind the month
sql("table:x", { from: "table:trips/{month}" }, ({ $ }) => $`select 1`);
// @ts-expect-error: the target does not bind the month
sql("table:x", { file: "sql/{month}.sql" });
// @ts-expect-error: the target does not bind the month
sql("table:x", { uses: "sql/{month}.sql" }, ({ $ }) => $`select 1`);
// @ts-expect-error: neither a file nor a function
sql("table:x", { from: "table:a" });
// @ts-expect-error: a text that was put together by hand
sql("table:x", { from: "table:a" }, () => "select 1");
// @ts-expect-error: `sh`'s template is no SQL
sql("table:x", { from: "table:a" }, ({ input }) => ({ text: `select * from ${input}` }));
// @ts-expect-error: a date is no value
sql("table:x", {}, ({ $ }) => $`select ${new Date()}`);
// @ts-expect-error: a list of tables is none either
sql("table:x", { from: "table:a" }, ({ $, inputs }) => $`select * from ${inputs}`);
// @ts-expect-error: there is no such wildcard
sql("table:x/{month}", { where: { month } }, ({ $, params }) => $`select ${params.color}`);
// @ts-expect-error: there is no such wildcard
sql("table:x/{month}", { where: { color: ["a"] } }, ({ $ }) => $`select 1`);
// @ts-expect-error: there is no such strategy
sql("table:x", { strategy: "append" }, ({ $ }) => $`select 1`);
// @ts-expect-error: an object is no value of a file
sql("table:x", { file: "x.sql", values: { a: { b: 1 } } });
