// The story of secrets that a project is given, and that are nowhere afterwards: not on the screen, not in a file of dmake, not in the ledger.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import pg from "pg";
import { openDatabase } from "../../src/postgres/connect.js";
import { projectIn, type Ran } from "../rig/binary.js";
import { startServer, type TestServer } from "../rig/postgres.js";
import { serve } from "../rig/web.js";

let database: TestServer;
before(async () => {
  database = await startServer();
});
after(() => database.stop());

const mark = "s3cr3t-";
/** Each with a name of its own, so that a leak says where it began. */
const secret = (name: string): string => `${mark}${name}0`;
/** As they look in an `Authorization` header. */
const basic = Buffer.from(`ann:${secret("userinfo")}`).toString("base64");

const isLeaked = (text: string): boolean => text.includes(mark) || text.includes(basic);

/** The lines that a secret is in. */
const leaksIn = (text: string): string[] =>
  text
    .split("\n")
    .filter(isLeaked)
    .map((line) => line.slice(0, 300));

const datafile = `
import { download, param, script, secret, sh, table } from "dmake";

const origin = param("origin");
const token = param("token");
const { FEED_PASSWORD, FEED_BEARER, FEED_FRAGMENT } = process.env;
const to = (path: string) => \`\${origin.replace("//", \`//ann:\${FEED_PASSWORD}@\`)}/\${path}?month=2021-01&token=\${token}#sig=\${FEED_FRAGMENT}\`;
const headers = { "x-feed-key": \`\${FEED_BEARER}\` };

export const raw = download("data/raw.csv", { url: to("raw.csv"), headers });
export const tidy = sh("data/tidy.csv", { from: raw, env: ["MODE"] },
  ({ $, inputs, output }) => $\`test -n "$MODE" && cat \${inputs} > \${output}\`);
export const counted = script("data/count.txt", { from: raw, env: ["MODE"] }, async ({ output }) => {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(output, "3\\n");
});
export const fetched = sh("data/fetched.csv", {}, ({ $, output }) => $\`: \${to("raw.csv")} && echo done > \${output}\`);
export const loaded = table("table:trips", { from: tidy });

const broken = (name: string, more = {}) => download(\`data/\${name}.csv\`, { url: to(name), headers, retries: 0, ...more });
export const refused = broken("refused");
export const elsewhere = broken("elsewhere");
export const circle = broken("circle");
export const nonsense = broken("nonsense");
export const cutShort = broken("cut");
export const digest = broken("raw-again", { sha256: "0".repeat(64) });
export const nowhere = download("data/nowhere.csv", { url: to("x").replace(/:\\d+\\//, ":1/"), headers, retries: 0 });
export const ftp = download("data/ftp.csv", { url: to("x").replace("http:", "gopher:"), headers, retries: 0 });
const bare = secret("BARE");
export const words = sh("data/words.csv", {}, ({ $, output }) => $\`echo \${bare} \${token} > /dev/null; echo done > \${output}\`);
export const told = sh("data/told.csv", {}, ({ $ }) => $\`echo "it is" \${bare}; echo \${token} \${to("told")} >&2; exit 3\`);
export const thrown = script("data/thrown.csv", {}, () => { throw new Error(\`no luck with \${bare}\`); });
export const placed = download("data/placed.csv", { url: \`\${origin}/raw/\${encodeURIComponent(bare)}\`, headers, retries: 0 });
export const failing = sh("data/failing.csv", {}, ({ $, output }) => $\`exit 3 # \${to("x")} > \${output}\`);
export const odd = table("table:odd/{month}", { from: refused, where: { month: ["a"] } });
export default [tidy, counted, fetched, loaded];
`;

/** Knows who may ask, and says everything that it was told to whoever asks for a thing that is not there. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const { authorization = "", "x-feed-key": key = "" } = request.headers;
  const url = new URL(request.url ?? "", "http://feed");
  const token = url.searchParams.get("token") ?? "";
  if (authorization !== `Basic ${basic}` || key !== secret("header") || token !== secret("token"))
    return void response.writeHead(401).end("who are you?");
  const echo = `no such thing for ${authorization} ${key} ${token}`;
  const name = url.pathname.slice(1);
  if (name.startsWith("raw")) {
    // A validator may repeat what it was asked with.
    response.setHeader("etag", `"${token}"`);
    return void response.end("id,zone\n1,east\n2,west\n3,east\n");
  }
  if (name === "elsewhere")
    return void response
      .writeHead(302, {
        location: `http://bob:${secret("redirect")}@127.0.0.1:1/x?access_token=${secret("redirect")}`,
      })
      .end(echo);
  if (name === "circle")
    return void response.writeHead(302, { location: url.pathname + url.search }).end(echo);
  if (name === "nonsense")
    return void response.setHeader("content-type", "text/html").end(`<html>${echo}</html>`);
  if (name === "cut") {
    response.writeHead(200, { "content-length": "1000" }).write(echo);
    return void setTimeout(() => response.destroy(), 20);
  }
  response.writeHead(403, echo.replaceAll(/[^\w -]/g, "")).end(echo);
}

/** All that a database says of itself to one who may see everything. */
async function ledgerOf(url: string): Promise<string> {
  const client = new pg.Client(url);
  await client.connect();
  const tables = ["dmake.loads", "dmake.history", "dmake.meta", "pg_description", "pg_stat_activity"];
  const texts: string[] = [];
  for (const table of tables) {
    const { rows } = await client.query(`SELECT to_jsonb(t)::text AS row FROM ${table} t`);
    texts.push(...rows.map(({ row }) => `${table}: ${row}`));
  }
  await client.end();
  assert.ok(texts.some((text) => text.startsWith("dmake.loads")));
  return texts.join("\n");
}

/** The files of dmake and whatever lies beside what the recipes made, each with the lines that a secret is in. */
function leaksBelow(root: string): string[] {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  assert.ok(
    files.some((file) => file.includes("/.dmake/cache/")),
    files.join("\n"),
  );
  return files.flatMap((file) => [
    ...(isLeaked(file) ? [file] : []),
    ...leaksIn(readFileSync(file, "latin1")).map((line) => `${file}: ${line}`),
  ]);
}

/** What each of the broken rules has to come to: else nothing was told that could leak. */
const reasons: Readonly<Record<string, string>> = {
  "data/circle.csv": "download-redirects",
  "data/cut.csv": "download-incomplete",
  "data/elsewhere.csv": "download-network",
  "data/failing.csv": "exit",
  "data/ftp.csv": "unsupported-url",
  "data/nonsense.csv": "download-not-data",
  "data/nowhere.csv": "download-network",
  "data/placed.csv": "download-status",
  "data/raw-again.csv": "digest-mismatch",
  "data/refused.csv": "download-status",
  "data/thrown.csv": "threw",
  "data/told.csv": "exit",
};

function reasonsIn(events: string): Readonly<Record<string, string>> {
  const all = events.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line)]));
  const failed = all.filter(({ event }) => event === "failed");
  return Object.fromEntries(failed.map(({ step, failure }) => [step, failure.reason]).sort());
}

const outputOf = ({ stdout, stderr }: Ran): string => `${stdout}\n${stderr}`;

test("the secrets of a project are nowhere afterwards", async (t) => {
  const { origin } = await serve(t, answer);
  const url = new URL(await database.database("feed"));
  const owner = new pg.Client(url.href);
  await owner.connect();
  await owner.query(`CREATE ROLE loader LOGIN SUPERUSER PASSWORD '${secret("database")}'`);
  await owner.end();
  [url.username, url.password] = ["loader", secret("database")];
  const env = {
    DATABASE_URL: url.href,
    FEED_PASSWORD: secret("userinfo"),
    FEED_BEARER: secret("header"),
    FEED_FRAGMENT: secret("fragment"),
    MODE: secret("mode"),
    BARE: secret("bare"),
  };
  const project = projectIn(t, { "Datafile.ts": datafile }, { env });
  const given = [`origin=${origin}`, `token=${secret("token")}`];
  const all = [
    "default",
    "refused",
    "elsewhere",
    "circle",
    "nonsense",
    "cutShort",
    "digest",
    "nowhere",
    "ftp",
    "failing",
    "odd",
    "words",
    "told",
    "thrown",
    "placed",
  ];
  const wanted = all.slice(1);

  const leaks: string[] = [];
  const run = async (...args: string[]): Promise<Ran> => {
    const ran = await project.run(...args, ...(args[0] === "sql" ? [] : given));
    leaks.push(...leaksIn(outputOf(ran)).map((line) => `dmake ${args.join(" ")}: ${line}`));
    return ran;
  };
  const built = await run("--json");
  assert.equal(built.code, 0, outputOf(built));
  assert.match(built.stdout, /"rows":3/);
  for (const args of [[], ["-n"], ["-B"], ["-n", "--json"], ["why", "loaded"], ["why", "--json", "loaded"]])
    await run(...args);
  await run("-n", ...wanted);
  await run("why", ...wanted);
  await run("-k", ...wanted);
  const failed = await run("-k", "--json", ...wanted);
  assert.deepEqual(reasonsIn(failed.stdout), reasons);
  await run("adopt", "data/raw.csv", "table:trips");
  assert.equal((await run("clean", "--orphans")).code, 0);
  await run("sql", "SELECT count(*) FROM trips");
  await run("sql", "SELECT nonsense");
  await run("no-such-target");

  const cache = join(project.root, ".dmake/cache");
  for (const kept of [cache, ...readdirSync(cache).map((name) => join(cache, name))])
    assert.equal(statSync(kept).mode & 0o077, 0, `${kept} is for others to see`);
  leaks.push(...leaksBelow(project.root), ...leaksIn(await ledgerOf(url.href)));
  assert.deepEqual(leaks, []);
});

const ways: Readonly<Record<string, (url: URL) => NodeJS.ProcessEnv>> = {
  "in the URL": (url) => ({ DATABASE_URL: url.href }),
  "in the URL's query": (url) => {
    const query = new URL(url);
    query.password = "";
    query.searchParams.set("password", secret("database"));
    return { DATABASE_URL: query.href };
  },
  "in the environment": (url) => ({
    PGHOST: url.hostname,
    PGPORT: url.port,
    PGUSER: "nobody",
    PGPASSWORD: secret("database"),
  }),
  "in a URL that is none": (url) => ({
    DATABASE_URL: url.href.replace(secret("database"), `${secret("database")}/#x`),
  }),
  "with a slash": (url) => ({
    DATABASE_URL: url.href.replace(secret("database"), `1/${secret("database")}`),
  }),
  "with an unknown scheme": (url) => ({ DATABASE_URL: url.href.replace("postgresql:", "postgres+ssl:") }),
  "with a port that is none": (url) => ({ DATABASE_URL: url.href.replace(/:\d+\//, ":99999/") }),
  "with a certificate that is not there": (url) => ({
    DATABASE_URL: `${url.href}?sslrootcert=/nowhere/ca.pem`,
  }),
  "with several hosts": (url) => ({ DATABASE_URL: url.href.replace("@", "@one,") }),
  "of a server that is not there": (url) => ({ DATABASE_URL: url.href.replace(/:\d+\//, ":1/") }),
  "of a database that is not there": (url) => ({ DATABASE_URL: `${url.href}-nowhere` }),
  "as a service": () => ({ PGSERVICE: secret("service"), PGSERVICEFILE: `/nowhere/${secret("service")}` }),
};

/** All that can be said of a database that is not to be had. */
async function refusal(env: NodeJS.ProcessEnv): Promise<string> {
  const opened = await openDatabase({ root: "/nowhere", env });
  if (!opened.ok) return JSON.stringify(opened.error);
  const client = await opened.value.client();
  await opened.value.close();
  assert.ok(!client.ok, "it can be had");
  return JSON.stringify([client.error, opened.value.server]);
}

test("a password that does not open the database is not shown either", async (t) => {
  const url = new URL(database.url);
  [url.username, url.password] = ["nobody", secret("database")];
  for (const [name, env] of Object.entries(ways)) {
    const said = await refusal(env(url));
    assert.deepEqual(leaksIn(said), [], name);
  }
  const files = {
    "zones.csv": "id\n1\n",
    "Datafile.ts":
      'import { table } from "dmake";\nexport default [table("table:zones", { from: "zones.csv" })];\n',
  };
  const project = projectIn(t, files, { env: { DATABASE_URL: url.href } });
  for (const args of [[], ["--json"], ["sql", "SELECT 1"]]) {
    const ran = await project.run(...args);
    assert.equal(ran.code, 1, outputOf(ran));
    assert.match(outputOf(ran), /password authentication failed/);
    assert.deepEqual(leaksIn(outputOf(ran)), [], `dmake ${args.join(" ")}`);
  }
  assert.deepEqual(leaksBelow(project.root), []);
});
