// What is newly declared of a table is done to it without loading it again; what is still going on is asked again. Told on a project in memory.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ok } from "../../src/core/failure.js";
import type { TableDeclaration } from "../../src/core/rule.js";
import { copies, made, makes, put, type RuleOptions } from "../rig/recipes.js";
import { given, type World } from "../rig/world.js";

const loaded = (table?: Partial<TableDeclaration>, options: RuleOptions = {}) =>
  makes("table:trips", { from: ["a.csv"], ...(table && { table }), ...options });

const howOf = (events: Awaited<ReturnType<World["build"]>>["events"], step: string) =>
  events.flatMap((event) => (event.event === "done" && event.step === step ? [event.how] : []));

test("an index that is declared later is made without running the recipe", async () => {
  const world = await given({ "a.csv": "1", rules: [loaded()] });
  await world.build("table:trips");
  world.tables.amends = () => true;
  world.declare([loaded({ indexes: [{ columns: ["id"] }], comment: "trips" })]);
  const report = await world.build("table:trips");
  assert.deepEqual(report.ran, []);
  assert.deepEqual(howOf(report.events, "table:trips"), ["amended"]);
  assert.equal(world.history.at(-1)?.outcome, "amended");
  assert.deepEqual((await world.build("table:trips")).fresh, ["table:trips"]);
});

test("what is below an amended table stays", async () => {
  const below = makes("report.txt", { from: ["table:trips"] });
  const world = await given({ "a.csv": "1", rules: [loaded(), below] });
  await world.build("report.txt");
  world.tables.amends = () => true;
  world.declare([loaded({ comment: "trips" }), below]);
  assert.deepEqual((await world.build("report.txt")).fresh, ["report.txt"]);
});

test("the lock of somebody who loads it now is waited for, also by what is only amended", async () => {
  const world = await given({ "a.csv": "1", rules: [loaded()] });
  await world.build("table:trips");
  world.tables.amends = () => true;
  world.declare([loaded({ comment: "trips" })]);
  let finish = () => {};
  const free = new Promise<void>((resolve) => {
    finish = resolve;
  });
  world.tables.locked.set("table:trips", { holder: { run: "ab12", pid: 4711 }, free });
  const report = await world.build("table:trips", {
    emit: ({ event }) => {
      if (event !== "waiting") return;
      world.tables.locked.delete("table:trips");
      finish();
    },
  });
  assert.equal(report.events.filter(({ event }) => event === "waiting").length, 1);
  assert.deepEqual(report.ran, []);
  assert.deepEqual(howOf(report.events, "table:trips"), ["amended"]);
});

test("together with any other reason, where the store cannot, or forced, it is loaded", async () => {
  const asked: string[] = [];
  const world = await given({ "a.csv": "1", rules: [loaded()] });
  await world.build("table:trips");
  world.tables.amends = ({ step }) => asked.push(step.id) > 100;
  world.declare([loaded({ comment: "trips" })]);
  assert.deepEqual((await world.build("table:trips")).ran, ["table:trips"]);
  assert.deepEqual(asked, ["table:trips"]);
  world.tables.amends = () => true;
  world.declare([loaded({ comment: "other" }, { version: "2" })]);
  assert.deepEqual((await world.build("table:trips")).ran, ["table:trips"]);
  world.declare([loaded({ comment: "third" }, { version: "2" })]);
  assert.deepEqual((await world.build("table:trips", { forced: true })).ran, ["table:trips"]);
});

test("changes of the table and rows that were set aside are told", async () => {
  const first = { line: 3, column: "id", value: "x", reason: "it is not a whole number" };
  const rule = loaded(undefined, {
    work: async (job, desk) => {
      await put(job, desk, () => "rows");
      return ok({ kind: "made", facts: { rejects: 2 }, rejected: { file: "a.csv", first } });
    },
  });
  const world = await given({ "a.csv": "1", rules: [rule] });
  world.tables.changes = ["column `fee` was added"];
  const { events } = await world.build("table:trips");
  const warnings = events.filter(({ event }) => event === "warning");
  const step = "table:trips";
  assert.deepEqual(warnings, [
    { event: "warning", warning: "table-changed", step, changes: ["column `fee` was added"] },
    { event: "warning", warning: "rows-rejected", step, file: "a.csv", rows: 2, first },
  ]);
});

const trips = (options: RuleOptions = {}) => [
  makes("{month}.csv", { where: { month: ["2024-01", "2024-02"] }, ...options }),
  makes("table:trips/{month}", {
    from: ["{month}.csv"],
    where: { month: ["2024-01", "2024-02"] },
    ...options,
  }),
];

test("an open month is asked again in each build, and what is made of it only if it says something else", async () => {
  const world = await given({ rules: trips({ open: ["2024-02"] }) });
  const both = ["table:trips/2024-01", "table:trips/2024-02"];
  await world.build(both);
  const again = await world.build(both);
  assert.deepEqual(again.ran, ["2024-02.csv"]);
  assert.deepEqual(again.because, { "2024-02.csv": ["provisional"] });
  assert.equal(world.tables.records.get("table:trips/2024-02")?.provisional, true);
  assert.equal(world.tables.records.get("table:trips/2024-01")?.provisional, undefined);
});

test("a month that is over is asked once more; then its table is no longer provisional, and it is fresh", async () => {
  const world = await given({ rules: trips({ open: ["2024-02"] }) });
  await world.build("table:trips/2024-02");
  world.tables.amends = () => true;
  world.declare(trips());
  const last = await world.build("table:trips/2024-02");
  assert.deepEqual(last.ran, ["2024-02.csv"]);
  assert.deepEqual(howOf(last.events, "table:trips/2024-02"), ["amended"]);
  assert.equal(world.tables.records.get("table:trips/2024-02")?.provisional, undefined);
  assert.deepEqual((await world.build("table:trips/2024-02")).ran, []);
});

test("a table is told where its rows come from, however far up, each source once", async () => {
  const from = (url: string) => ({
    work: async (job: Parameters<NonNullable<RuleOptions["work"]>>[0], desk: Parameters<typeof put>[1]) => {
      await put(job, desk, () => url);
      return ok({ kind: "made", facts: { url, etag: '"1"' } } as const);
    },
  });
  const download = (target: string, url: string) => {
    const rule = makes(target, { ...from(url), from: ["local.csv"] });
    const bound = rule.bind({});
    if (bound.ok) Object.assign(bound.value, { kind: "download", url });
    return { ...rule, bind: () => bound };
  };
  const world = await given({
    "zones.csv": "z",
    "local.csv": "l",
    rules: [
      download("a.csv", "https://example.org/a"),
      download("b.csv", "https://example.org/b"),
      makes("ab.csv", { from: ["a.csv", "b.csv", "zones.csv"] }),
      copies("a.csv", "a2.csv"),
      makes("table:trips", { from: ["ab.csv", "a2.csv"] }),
      makes("table:sums", {
        from: ["table:trips"],
        work: (job, desk) => put(job, desk, () => "s").then(() => made),
      }),
    ],
  });
  await world.build("table:trips");
  const brief = () => world.tables.origins.map(({ name, url, etag }) => [name, url, etag]);
  assert.deepEqual(brief(), [
    ["a.csv", "https://example.org/a", '"1"'],
    ["b.csv", "https://example.org/b", '"1"'],
    ["zones.csv", undefined, undefined],
  ]);
  await world.build("table:sums");
  assert.deepEqual(brief(), [["table:trips", undefined, undefined]]);
});
