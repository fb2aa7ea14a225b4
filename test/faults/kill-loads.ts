// Kills dmake at every message that it sends to the database, and runs it again. Knows nothing of what the messages say.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { copyProject, type Death, ownFiles, run, type Sources, writeAll } from "../rig/faults.js";
import { startServer, type TestServer } from "../rig/postgres.js";
import type { Trials } from "./trials.js";

/** In the short form, so many points of each story. */
const quickPoints = 2;
/** A server that has lost its client in the middle of a statement looks up within 1 s. */
const patienceMs = 20_000;

const rows = (version: string, count: number): string =>
  `id,name\n${Array.from({ length: count }, (_, i) => `${i},${version}-${i}\n`).join("")}`;

/** Two months of a partitioned table, and a whole one. Each load takes a second: a story makes as few as it can. */
const project = {
  "Datafile.ts": `import { months, table } from "dmake";
export const trips = table("table:trips/{month}", { from: "in/{month}.csv", where: { month: months("2024-01", "2024-02") } });
export const zones = table("table:zones", { from: "in/zones.csv" });
`,
  "in/2024-01.csv": rows("january", 10),
  "in/2024-02.csv": rows("february", 10),
  "in/zones.csv": rows("zones", 10),
};

interface Story {
  readonly name: string;
  readonly goal: string;
  /** What is changed after a first build; without it there was none. */
  readonly change?: Sources;
}

const stories: readonly Story[] = [
  { name: "first", goal: "trips" },
  { name: "partition", goal: "trips", change: { "in/2024-02.csv": rows("february again", 12) } },
  { name: "whole-table", goal: "zones", change: { "in/zones.csv": rows("zones again", 12) } },
];

const targets = ["table:trips/2024-01", "table:trips/2024-02", "table:zones"] as const;

/** What the database says of one target: its rows and its record, or nothing of either. */
interface Loaded {
  readonly rows: string;
  readonly ledger: string;
  /** What has come through, by attempt. */
  readonly history: readonly string[];
  readonly last: string;
}

interface Scene {
  readonly args: readonly string[];
  readonly before: string;
  readonly list: string;
  /** The database before the command. */
  readonly template: string;
  readonly old: ReadonlyMap<string, Loaded>;
  readonly whole: ReadonlyMap<string, Loaded>;
  readonly points: readonly Death[];
  readonly what: readonly string[];
}

export async function killLoads(trials: Trials): Promise<void> {
  const server = await startServer();
  const admin = new pg.Client(server.url);
  await admin.connect();
  try {
    for (const story of stories) {
      const { name } = story;
      if (trials.isOver || !trials.isWanted(name)) continue;
      const scene = await prepare(story, { trials, server, admin });
      const { points } = scene;
      const deaths = trials.sample(name, points, quickPoints);
      await trials.each(name, deaths, (death, slot) =>
        trials.try(name, `${death.at}:${death.how}`, () =>
          dieAndRecover(scene, death, { binary: trials.wanted.binary, slot, server, admin }),
        ),
      );
    }
  } finally {
    await admin.end();
    await server.stop();
  }
}

interface World {
  readonly trials: Trials;
  readonly server: TestServer;
  readonly admin: pg.Client;
}

let databases = 0;

/** A new database that is a copy of another. */
async function copied(admin: pg.Client, template: string): Promise<string> {
  const name = `copy_${++databases}`;
  await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  return name;
}

const urlOf = (server: TestServer, database: string): string => server.url.replace(/postgres$/, database);

async function prepare({ name, goal, change }: Story, { trials, server, admin }: World): Promise<Scene> {
  const { binary, scratch } = trials.wanted;
  const folder = join(scratch, `kill-loads-${name}`);
  const [cwd, before, list] = [join(folder, "project"), join(folder, "before"), join(folder, "points")];
  mkdirSync(cwd, { recursive: true });
  const template = `template_${name.replace("-", "_")}`;
  const args = ["-j", "1", goal];
  await admin.query(`CREATE DATABASE ${template}`);
  const connected = (database: string) => ({
    DATABASE_URL: urlOf(server, database),
    DMAKE_FAULT_PORT: String(server.port),
  });
  writeAll(cwd, project);
  if (change) {
    const built = await run({ binary, cwd, args, env: connected(template) });
    assert.equal(built.code, 0, built.text);
    writeAll(cwd, change);
  }
  copyProject(cwd, before);
  const old = await loadedIn(urlOf(server, template));
  const database = await copied(admin, template);
  const counted = await run({ binary, cwd, args, env: connected(database), list });
  assert.equal(counted.code, 0, counted.text);
  const whole = await loadedIn(urlOf(server, database));
  const lines = readFileSync(list, "utf8").trimEnd().split("\n");
  const what = lines.map((line) => line.split("\t")[2] ?? "");
  const points = what.flatMap((what, i): readonly Death[] => {
    const hows = what.startsWith("send ") ? (["before", "half", "after"] as const) : (["before"] as const);
    return hows.map((how) => ({ at: i + 1, how }));
  });
  return { args, before, list, template, old, whole, points, what };
}

interface Place {
  readonly binary: string;
  readonly slot: string;
  readonly server: TestServer;
  readonly admin: pg.Client;
}

async function dieAndRecover(
  scene: Scene,
  death: Death,
  { binary, slot, server, admin }: Place,
): Promise<void> {
  const [cwd, list] = [join(slot, "project"), join(slot, "points")];
  const at = `${death.how} ${scene.what[death.at - 1]}`;
  copyProject(scene.before, cwd);
  rmSync(list, { force: true });
  const database = await copied(admin, scene.template);
  const url = urlOf(server, database);
  const env = { DATABASE_URL: url, DMAKE_FAULT_PORT: String(server.port) };
  const { args } = scene;
  const killed = await run({ binary, cwd, args, env, list, death });
  if (existsSync(list)) assert.equal(killed.signal, "SIGKILL", `${at}\n${killed.text}`);
  else assert.equal(killed.code, 0, killed.text);
  await untilAlone(admin, database, at);
  const then = await loadedIn(url);
  for (const target of targets) isOldOrNew(target, then.get(target), scene, at);
  const again = await run({ binary, cwd, args, env });
  assert.equal(again.code, 0, `the rerun, after ${at}\n${again.text}`);
  await untilAlone(admin, database, `the rerun, after ${at}`);
  const now = await loadedIn(url);
  for (const target of targets) isWhole(target, now.get(target), scene, `${at}\n${again.text}`);
  const question = await run({ binary, cwd, args: ["-q", ...args], env });
  assert.equal(question.code, 0, `stale after the rerun, after ${at}\n${question.text}`);
  const left = ownFiles(cwd).filter((path) => /^(locks|runs)\//.test(path));
  assert.deepEqual(left, [], `left in .dmake, after ${at}`);
  await untilAlone(admin, database, `the question, after ${at}`);
  await admin.query(`DROP DATABASE ${database}`);
}

/** Rows and record as before, or as after: never one of each, never both. */
function isOldOrNew(target: string, found: Loaded | undefined, { old, whole }: Scene, at: string): void {
  const said = (loaded: Loaded | undefined) => ({ rows: loaded?.rows, ledger: loaded?.ledger });
  const versions = [said(old.get(target)), said(whole.get(target))].map((one) => JSON.stringify(one));
  assert(versions.includes(JSON.stringify(said(found))), `${target} is ${JSON.stringify(found)}, ${at}`);
}

/** What came through before the kill is not loaded again: one line of history a load. */
function isWhole(target: string, found: Loaded | undefined, { whole }: Scene, at: string): void {
  const expected = whole.get(target);
  if (!expected) {
    assert.equal(found, undefined, `${target}, after ${at}`);
    return;
  }
  assert.equal(found?.rows, expected?.rows, `${target}, after ${at}`);
  assert.equal(found?.ledger, expected?.ledger, `${target}, after ${at}`);
  assert.equal(found?.history.length, expected?.history.length, `loads of ${target}, after ${at}`);
  assert.equal(new Set(found?.history).size, found?.history.length, `loads of ${target}, after ${at}`);
  assert.equal(found?.history.at(-1), found?.last, `the last load of ${target}, after ${at}`);
}

/** Waits until the server has noticed that its client is dead. */
async function untilAlone(admin: pg.Client, database: string, at: string): Promise<void> {
  const until = performance.now() + patienceMs;
  while (performance.now() < until) {
    const { rows } = await admin.query("SELECT state, query FROM pg_stat_activity WHERE datname = $1", [
      database,
    ]);
    if (rows.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`somebody is connected ${patienceMs / 1000} s after the kill, ${at}`);
}

async function loadedIn(url: string): Promise<ReadonlyMap<string, Loaded>> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const found = new Map<string, Loaded>();
    for (const target of targets) {
      const loaded = await loadedOf(client, target);
      if (loaded) found.set(target, loaded);
    }
    const { rows } = await client.query("SELECT relname FROM pg_class WHERE relname LIKE 'dmake_load%'");
    assert.deepEqual(rows, [], "side tables that are left");
    return found;
  } finally {
    await client.end();
  }
}

async function loadedOf(client: pg.Client, target: string): Promise<Loaded | undefined> {
  const [table = "", partition = ""] = target.replace("table:", "").split("/");
  const { rows: there } = await client.query("SELECT to_regclass($1) AS t, to_regclass('dmake.loads') AS l", [
    table,
  ]);
  const one = async (sql: string, values: readonly string[]) => (await client.query(sql, [...values])).rows;
  const where = partition === "" ? "$1 = ''" : "month = $1";
  const content = `SELECT count(*)::int AS rows, md5(string_agg(t::text, '|' ORDER BY t::text)) AS md5 FROM ${table} t WHERE ${where}`;
  const [data] = there[0].t === null ? [] : await one(content, [partition]);
  if (there[0].l === null)
    return data?.rows ? assert.fail(`${target} is loaded and there is no ledger`) : undefined;
  const [ledger] = await one(
    "SELECT rows::int, content, fingerprint, attempt FROM dmake.loads WHERE target = $1",
    [target],
  );
  const history = await one("SELECT attempt FROM dmake.history WHERE target = $1 ORDER BY id", [target]);
  if (!ledger && !data?.rows) return undefined;
  const { attempt, ...record } = ledger ?? {};
  return {
    rows: JSON.stringify(data),
    ledger: JSON.stringify(record),
    history: history.map(({ attempt }) => attempt),
    last: attempt,
  };
}
