import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type pg from "pg";
import type { Failure } from "../../src/core/failure.js";
import { openDatabase } from "../../src/postgres/connect.js";
import { makeProject, removeProjects, serverOf } from "../rig/embedded-project.js";
import { startServer, type TestServer } from "../rig/postgres.js";

let server: TestServer;
const root = makeProject();
const guests: Server[] = [];

before(async () => {
  server = await startServer();
});
after(async () => {
  await server.stop();
  for (const guest of guests) guest.close();
  removeProjects();
});

const open = async (env: NodeJS.ProcessEnv) => {
  const database = await openDatabase({ root, env });
  assert.ok(database.ok, JSON.stringify(database));
  return database.value;
};

/** Why no connection can be had; nothing of it may hold a password. */
async function failureWith(env: NodeJS.ProcessEnv): Promise<Failure> {
  const opened = await openDatabase({ root, env });
  const tried = opened.ok ? await opened.value.client() : opened;
  assert.ok(!tried.ok);
  const shown = JSON.stringify(tried.error) + (opened.ok ? opened.value.server : "");
  assert.doesNotMatch(shown, /s3cret|12345/);
  assert.equal(existsSync(join(root, ".dmake")), false, "the embedded server was not to be touched");
  return tried.error;
}

/** A TCP server that answers nothing of its own accord. */
async function listen(onConnection: (socket: Socket) => void): Promise<number> {
  const guest = createServer(onConnection).listen(0, "127.0.0.1");
  guests.push(guest);
  await new Promise((resolve) => guest.once("listening", resolve));
  return (guest.address() as { port: number }).port;
}

const value = async (client: pg.Client, text: string) =>
  (await client.query({ text, rowMode: "array" })).rows[0]?.[0];

const variables = () => ({
  PGHOST: "127.0.0.1",
  PGPORT: String(server.port),
  PGUSER: "tester",
  PGDATABASE: "postgres",
});

describe("which server", () => {
  test("`DATABASE_URL` wins over `PG*`", async () => {
    const database = await open({
      DATABASE_URL: server.url,
      PGHOST: "nowhere.invalid",
      PGUSER: "nobody",
      PGDATABASE: "none",
    });
    assert.equal(database.server, `127.0.0.1:${server.port}/postgres`);
    assert.equal(database.url, server.url);
    const client = await database.client();
    assert.ok(client.ok);
    assert.equal(await value(client.value, "SELECT current_user"), "tester");
    await database.close();
  });

  test("`PG*` choose a server, and the URL for others is whole", async () => {
    const database = await open({ ...variables(), PGPASSWORD: server.password });
    assert.equal(database.server, `127.0.0.1:${server.port}/postgres`);
    assert.equal(database.url, `postgresql://tester:${server.password}@127.0.0.1:${server.port}/postgres`);
    const client = await database.client();
    assert.ok(client.ok);
    await database.close();
  });

  test("the URL for others quotes what has a meaning in URLs", async () => {
    const odd = {
      PGHOST: "/var/run/some where",
      PGUSER: "a@b",
      PGPASSWORD: "p:/?#%@ s",
      PGDATABASE: "c/d?é",
    };
    const { url, server: shown } = await open(odd);
    assert.equal(
      url,
      "postgresql://a%40b:p%3A%2F%3F%23%25%40%20s@/c%2Fd%3F%C3%A9?host=%2Fvar%2Frun%2Fsome%20where&port=5432",
    );
    assert.equal(shown, "/var/run/some where:5432/c/d?é");
    assert.equal(
      (await open({ PGHOST: "::1", PGUSER: "u", PGDATABASE: "d" })).url,
      "postgresql://u@[::1]:5432/d",
    );
  });

  test("empty variables count as not set", async () => {
    const database = await open({ DATABASE_URL: "", ...variables(), PGPASSWORD: server.password });
    assert.equal(database.server, `127.0.0.1:${server.port}/postgres`);
  });

  test("a password file is read as `pg` reads it", async () => {
    const folder = mkdtempSync(join(tmpdir(), "dmake-pgpass-"));
    const file = join(folder, "pgpass");
    writeFileSync(file, `127.0.0.1:${server.port}:*:tester:${server.password}\n`);
    chmodSync(file, 0o600);
    process.env.PGPASSFILE = file;
    const database = await open(variables());
    const client = await database.client();
    assert.ok(client.ok);
    await database.close();
    delete process.env.PGPASSFILE;
    rmSync(folder, { recursive: true });
  });

  test("with none of them it is the embedded one, whatever else is set", async () => {
    const own = makeProject();
    const opened = await openDatabase({
      root: own,
      env: { PGSSLMODE: "require", PGOPTIONS: "-c search_path=none" },
    });
    assert.ok(opened.ok);
    const database = opened.value;
    assert.equal(database.server, "the embedded server");
    const client = await database.client();
    assert.ok(client.ok);
    assert.equal(await value(client.value, "SELECT current_database()"), "dmake");
    const forgotten = await database.client();
    assert.ok(forgotten.ok);
    await database.close();
    assert.equal(serverOf(own), undefined, "a connection that its owner forgot does not keep it up");
  });
});

describe("a connection", () => {
  test("is dmake's, in UTC, and watched by the server", async () => {
    const database = await open({ DATABASE_URL: server.url });
    const client = await database.client();
    assert.ok(client.ok);
    assert.equal(await value(client.value, "SHOW application_name"), "dmake");
    assert.equal(await value(client.value, "SHOW TimeZone"), "UTC");
    assert.equal(await value(client.value, "SHOW client_connection_check_interval"), "1s");
    await database.close();
  });

  test("that breaks while idle is a failure of the next query, and no crash", async () => {
    const database = await open({ DATABASE_URL: server.url });
    const [one, other] = [await database.client(), await database.client()];
    assert.ok(one.ok && other.ok);
    const ended = new Promise((resolve) => one.value.once("end", resolve));
    await other.value.query("SELECT pg_terminate_backend($1)", [
      await value(one.value, "SELECT pg_backend_pid()"),
    ]);
    await ended;
    const failure = await one.value
      .query("SELECT 1")
      .catch((error) => database.failure(error, "count the rows"));
    assert.ok("reason" in failure);
    assert.equal(failure.reason, "postgres-lost");
    await database.close();
  });

  test("that breaks in the middle of a statement is lost", async () => {
    const database = await open({ DATABASE_URL: server.url });
    const [one, other] = [await database.client(), await database.client()];
    assert.ok(one.ok && other.ok);
    const backend = await value(one.value, "SELECT pg_backend_pid()");
    const asleep = one.value.query("SELECT pg_sleep(600)").catch((error) => database.failure(error, "sleep"));
    while (
      (await value(other.value, `SELECT state FROM pg_stat_activity WHERE pid = ${backend}`)) !== "active"
    );
    await other.value.query("SELECT pg_terminate_backend($1)", [backend]);
    assert.deepEqual(await asleep, {
      reason: "postgres-lost",
      server: database.server,
      message: "terminating connection due to administrator command",
    });
    await database.close();
  });

  test("tells what the server says to a statement, with detail and hint", async () => {
    const database = await open({ DATABASE_URL: server.url });
    const client = await database.client();
    assert.ok(client.ok);
    const failureOf = (text: string) =>
      client.value.query(text).catch((error) => database.failure(error, "load the rows"));
    assert.deepEqual(await failureOf("SELECT nofunction()"), {
      reason: "postgres-error",
      code: "42883",
      message: "function nofunction() does not exist",
      hint: "No function matches the given name and argument types. You might need to add explicit type casts.",
      doing: "load the rows",
    });
    const twice = await failureOf("CREATE TEMP TABLE t (n int PRIMARY KEY); INSERT INTO t VALUES (1), (1)");
    assert.ok("detail" in twice);
    assert.equal(twice.detail, "Key (n)=(1) already exists.");
    await database.close();
  });

  test("does not hide our own bugs", async () => {
    const database = await open({ DATABASE_URL: server.url });
    const bug = new TypeError("undefined is not a function");
    assert.throws(() => database.failure(bug, "load"), bug);
  });
});

describe("a server that cannot be reached", () => {
  test("because nothing listens there", async () => {
    const guest = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => guest.once("listening", resolve));
    const { port } = guest.address() as { port: number };
    await new Promise((resolve) => guest.close(resolve));
    for (const host of ["127.0.0.1", "localhost"]) {
      const failure = await failureWith({
        DATABASE_URL: `postgresql://tester:s3cret@${host}:${port}/postgres`,
      });
      assert.ok(failure.reason === "postgres-unreachable");
      assert.equal(failure.code, "ECONNREFUSED");
      assert.equal(failure.server, `${host}:${port}/postgres`);
      assert.match(failure.message, /ECONNREFUSED/);
    }
  });

  test("because its name or its socket is not known", async () => {
    const name = await failureWith({ DATABASE_URL: "postgresql://tester:s3cret@nowhere.invalid/postgres" });
    assert.ok(name.reason === "postgres-unreachable");
    assert.match(name.code, /^(ENOTFOUND|EAI_AGAIN)$/);
    const socket = await failureWith({ PGHOST: join(root, "nowhere"), PGPASSWORD: "s3cret" });
    assert.ok(socket.reason === "postgres-unreachable" && socket.code === "ENOENT");
  });

  test("because it never answers", async () => {
    const port = await listen(() => undefined);
    for (const env of [
      { DATABASE_URL: `postgresql://t:s3cret@127.0.0.1:${port}/d?connect_timeout=1` },
      { PGHOST: "127.0.0.1", PGPORT: String(port), PGCONNECT_TIMEOUT: "1" },
    ]) {
      const failure = await failureWith(env);
      assert.ok(failure.reason === "postgres-unreachable");
      assert.equal(failure.code, "ETIMEDOUT");
    }
  });

  test("because it hangs up, or does not speak as asked", async () => {
    const hangsUp = await listen((socket) => socket.once("data", () => socket.destroy()));
    const gone = await failureWith({ DATABASE_URL: `postgresql://t:s3cret@127.0.0.1:${hangsUp}/d` });
    assert.equal(gone.reason, "postgres-unreachable");
    const plain = await failureWith({ DATABASE_URL: `${server.url}?sslmode=verify-full` });
    assert.ok(plain.reason === "postgres-unreachable");
    assert.equal(plain.message, "The server does not support SSL connections");
  });
});

describe("a server that refuses", () => {
  const refused = async (env: NodeJS.ProcessEnv) => {
    const failure = await failureWith(env);
    assert.ok(failure.reason === "postgres-refused", JSON.stringify(failure));
    return failure;
  };

  test("a wrong password, without repeating it", async () => {
    const failure = await refused({ DATABASE_URL: server.url.replace(server.password, "wrong-s3cret") });
    assert.equal(failure.code, "28P01");
    assert.equal(failure.message, 'password authentication failed for user "tester"');
    assert.equal(failure.user, "tester");
    assert.equal(failure.database, "postgres");
  });

  test("no password", async () => {
    const failure = await refused(variables());
    assert.equal(failure.code, "28P01");
    assert.equal(failure.message, "the server asks for a password, and none was given");
  });

  test("an unknown user or database", async () => {
    assert.equal((await refused({ DATABASE_URL: server.url.replace(/postgres$/, "nowhere") })).code, "3D000");
    assert.match((await refused({ DATABASE_URL: server.url.replace("tester:", "someone:") })).code, /^28/);
  });

  test("one connection too many", async () => {
    await server.database("narrow");
    const database = await open({ DATABASE_URL: server.url });
    const client = await database.client();
    assert.ok(client.ok);
    await client.value.query("CREATE ROLE guest LOGIN PASSWORD 'g'");
    await client.value.query("ALTER DATABASE narrow CONNECTION LIMIT 0");
    const url = new URL(server.url);
    Object.assign(url, { username: "guest", password: "g", pathname: "/narrow" });
    assert.equal((await refused({ DATABASE_URL: url.href })).code, "53300");
    await database.close();
  });

  test("is asked again while it starts up", async () => {
    let asked = 0;
    const starting = errorMessage("57P03", "the database system is starting up");
    const done = errorMessage("3D000", 'database "d" does not exist');
    const port = await listen((socket) =>
      socket.once("data", () => socket.end(++asked < 3 ? starting : done)),
    );
    assert.equal((await refused({ DATABASE_URL: `postgresql://t@127.0.0.1:${port}/d` })).code, "3D000");
    assert.equal(asked, 3);
  });
});

/** What a server sends before it closes a connection that it does not want. */
function errorMessage(code: string, message: string): Buffer {
  const fields = Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`);
  const head = Buffer.alloc(5, "E");
  head.writeInt32BE(fields.length + 4, 1);
  return Buffer.concat([head, fields]);
}

describe("an address that is none", () => {
  for (const [what, env] of Object.entries({
    "another scheme": { DATABASE_URL: "mysql://u:s3cret@host/d" },
    "no URL": { DATABASE_URL: "s3cret" },
    "keywords as libpq has them": { DATABASE_URL: "host=localhost password=s3cret" },
    "a port that is no number": { DATABASE_URL: "postgresql://u:s3cret@host:port/d" },
    "a port too high": { DATABASE_URL: "postgresql://u:s3cret@host:99999/d" },
    "a slash in the password": { DATABASE_URL: "postgresql://u:s3cret/x@host/d" },
    "a slash after digits in the password": { DATABASE_URL: "postgresql://u:12345/x@host/d" },
    "a question mark after digits in the password": { DATABASE_URL: "postgresql://u:12345?x@host/d" },
    "a hash after digits in the password": { DATABASE_URL: "postgresql://u:12345#x@host/d" },
    "a bad escape": { DATABASE_URL: "postgresql://u:%E0%A4s3cret@host/d" },
    "several hosts": { DATABASE_URL: "postgresql://u:s3cret@one:1,two:2/d" },
    "a certificate that is not there": {
      DATABASE_URL: "postgresql://u:s3cret@host/d?sslrootcert=/nowhere.pem",
    },
    "a service": { PGSERVICE: "warehouse" },
    "a port variable that is no number": { PGPORT: "five", PGPASSWORD: "s3cret" },
  })) {
    test(what, async () => {
      const failure = await failureWith(env);
      assert.ok(failure.reason === "usage", JSON.stringify(failure));
      assert.match(failure.message, /^`?(DATABASE_URL|PGSERVICE|PGPORT|the port|a certificate)/);
      assert.ok(failure.help);
    });
  }
});
