import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { keepEmbedded, startEmbedded, stopEmbedded } from "../../src/postgres/embedded.js";
import { findNative } from "../../src/postgres/embedded-binaries.js";
import { takeLock } from "../../src/system/lock.js";
import { isAlive, startTimeOf } from "../../src/system/process.js";
import {
  ask,
  begin,
  isRoot,
  makeProject,
  makeTemplate,
  makeUsedProject,
  removeProjects,
  serverOf,
  sweepProject,
  visit,
} from "../rig/embedded-project.js";

let template = "";
let root = "";
const needsRoot = isRoot ? false : "only root can become other users";

before(async () => {
  template = await makeTemplate();
});
afterEach(() => (root === "" ? undefined : sweepProject(root)));
after(removeProjects);

/** A project whose database files are there, for tests that leave them whole. */
const used = () => {
  root = template;
  return root;
};
/** The same for tests that break something: a copy. */
const breakable = () => {
  root = makeUsedProject(template);
  return root;
};
const fresh = (options: Parameters<typeof makeProject>[0] = {}) => {
  root = makeProject(options);
  return root;
};

/** Fails unless the project's server is gone, with everything it had outside the project. */
function assertStopped(server: ReturnType<typeof serverOf>): void {
  assert.ok(server);
  assert.equal(serverOf(root), undefined);
  assert.equal(isAlive(server.pid), false);
  assert.equal(existsSync(server.sockets), false);
  assert.equal(existsSync(join(root, ".dmake/postgres.lock")), false);
}

describe("one process", () => {
  test("a new project gets a database, and nothing runs after the only process has left", async () => {
    fresh();
    const server = await begin(root);
    const running = serverOf(root);
    assert.equal(
      await ask(server.config, "SELECT current_user || ' in ' || current_database()"),
      "dmake in dmake",
    );
    assert.equal(await ask(server.url, "SELECT 1"), 1);
    assert.equal(await ask(server.config, "SHOW server_encoding"), "UTF8");
    assert.equal(await ask(server.config, "SHOW TimeZone"), "UTC");
    assert.equal(
      await ask(server.config, "SELECT string_agg(t, '' ORDER BY t) FROM unnest('{b,B,a,É,é,Z}'::text[]) t"),
      "BZabÉé",
    );
    assert.equal(await ask(server.config, "SELECT lower('ÉA')"), "éa");
    await server.leave([]);
    assertStopped(running);
    assert.deepEqual(readdirSync(join(root, ".dmake")).sort(), ["postgres", "postgres.log"]);
  });

  test("rows outlive the server", async () => {
    used();
    const first = await begin(root);
    await ask(first.config, "CREATE TABLE kept AS SELECT 42 AS n");
    await first.leave([]);
    const second = await begin(root);
    assert.equal(await ask(second.config, "SELECT n FROM kept"), 42);
    await second.leave([]);
  });

  test("a statement that its own process left running does not keep the server up", async () => {
    used();
    const server = await begin(root);
    const running = serverOf(root);
    const hung = ask(server.config, "SELECT pg_sleep(600)").catch((error) => error.code);
    let backend: unknown;
    while (!backend)
      backend = await ask(
        server.config,
        "SELECT pid FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND state = 'active' AND pid <> pg_backend_pid()",
      );
    await server.leave([Number(backend)]);
    assertStopped(running);
    assert.equal(await hung, "57P01");
  });

  test("opens no TCP port, and shows its files to nobody", async () => {
    used();
    const server = await begin(root);
    assert.equal(await ask(server.config, "SHOW listen_addresses"), "");
    for (const folder of [join(root, ".dmake/postgres"), serverOf(root)?.sockets ?? ""])
      assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(statSync(join(root, ".dmake/postgres.log")).mode & 0o777, 0o600);
    await server.leave([]);
  });

  test("nothing of our environment reaches the server", { skip: process.platform !== "linux" }, async () => {
    used();
    process.env.SECRET_OF_TESTS = "s3cret";
    const server = await begin(root);
    assert.doesNotMatch(readFileSync(`/proc/${serverOf(root)?.pid}/environ`, "latin1"), /s3cret/);
    delete process.env.SECRET_OF_TESTS;
    await server.leave([]);
  });

  test("a log that has grown over 5 MB begins anew", async () => {
    used();
    const log = join(root, ".dmake/postgres.log");
    writeFileSync(log, "x".repeat(5_000_001));
    await (await begin(root)).leave([]);
    assert.ok(statSync(log).size < 10_000);
  });
});

describe("where a project may lie", () => {
  for (const [kind, below] of [
    ["over 200 characters deep", Array(10).fill("a-folder-of-some-length").join("/")],
    ["with spaces, quotes, commas and letters beyond ASCII", `it's "my", wärehouse $HOME \\ %41`],
  ] as const) {
    test(`in a path ${kind}`, async () => {
      fresh({ below });
      const server = await begin(root);
      const running = serverOf(root);
      assert.equal(await ask(server.url, "SELECT 1"), 1);
      await server.leave([]);
      assertStopped(running);
    });
  }

  test("below a folder that is closed to others", async () => {
    fresh({ closed: true });
    const server = await begin(root);
    const running = serverOf(root);
    assert.equal(await ask(server.config, "SELECT 1"), 1);
    const second = await begin(root);
    assert.equal(serverOf(root)?.pid, running?.pid);
    await server.leave([]);
    await second.leave([]);
    assertStopped(running);
  });

  test("a copy of a project whose server runs gets a server of its own", async () => {
    used();
    const server = await begin(root);
    await ask(server.config, "CREATE TABLE here AS SELECT 1 AS n");
    await ask(server.config, "CHECKPOINT");
    const original = root;
    const copy = makeUsedProject(original);
    const other = await begin(copy);
    assert.notEqual(serverOf(copy)?.pid, serverOf(original)?.pid);
    await ask(other.config, "DROP TABLE here");
    assert.equal(await ask(server.config, "SELECT n FROM here"), 1);
    await other.leave([]);
    await server.leave([]);
  });
});

describe("several processes", () => {
  test("two that begin at once on a new project share one server, and the last to leave stops it", async () => {
    fresh();
    const [first, second] = [visit(root), visit(root)];
    const [one, two] = await Promise.all([first.heard(), second.heard()]);
    assert.ok(one.url);
    assert.equal(one.url, two.url);
    const running = serverOf(root);
    await first.told("leave");
    assert.equal(await ask(one.url, "SELECT 1"), 1);
    await second.told("leave");
    assertStopped(running);
    await Promise.all([first.closed, second.closed]);
  });

  test("of many that leave at once, one stops the server", async () => {
    used();
    const all = await Promise.all(Array.from({ length: 8 }, () => begin(root)));
    const running = serverOf(root);
    await Promise.all(all.map((server) => server.leave([])));
    assertStopped(running);
  });

  test("one that comes while another leaves finds a server", async () => {
    used();
    for (let round = 0; round < 5; round++) {
      const server = await begin(root);
      const [next] = await Promise.all([begin(root), server.leave([])]);
      assert.equal(await ask(next.config, "SELECT 1"), 1);
      await next.leave([]);
    }
  });

  test("a server that somebody else is still connected to stays", async () => {
    used();
    const server = await begin(root);
    const running = serverOf(root);
    const guest = visit(root);
    await guest.heard();
    await server.leave([]);
    assert.equal(serverOf(root)?.pid, running?.pid);
    assert.deepEqual(await stopEmbedded({ root }), { ok: true, value: "in-use" });
    await guest.told("leave");
    assertStopped(running);
  });

  test("a kept server stays until it is told to stop", async () => {
    used();
    const guest = visit(root);
    const { url = "" } = await guest.heard();
    const running = serverOf(root);
    await guest.told("keep");
    await guest.told("leave");
    // Its pipes are closed although the server runs on: a shell that waits for the end of our output gets it.
    await guest.closed;
    assert.equal(await ask(url, "SELECT 1"), 1);
    assert.deepEqual(await stopEmbedded({ root }), { ok: true, value: "stopped" });
    assertStopped(running);
    assert.deepEqual(await stopEmbedded({ root }), { ok: true, value: "not-running" });
    const server = await begin(root);
    await server.leave([]);
    assert.equal(serverOf(root), undefined);
  });

  test("keeping is asked for before or after the server starts", async () => {
    used();
    keepEmbedded({ root });
    await (await begin(root)).leave([]);
    assert.ok(serverOf(root));
  });
});

describe("after kill -9", () => {
  test("of dmake, its server is taken over", async () => {
    used();
    const guest = visit(root);
    await guest.heard();
    const running = serverOf(root);
    guest.child.kill("SIGKILL");
    await guest.closed;
    const server = await begin(root);
    assert.equal(serverOf(root)?.pid, running?.pid);
    await server.leave([]);
    assertStopped(running);
  });

  test("of the server, the next one has all that was committed", async () => {
    used();
    const server = await begin(root);
    await ask(server.config, "CREATE TABLE committed AS SELECT generate_series(1, 1000) AS n");
    const killed = serverOf(root);
    process.kill(killed?.pid ?? 0, "SIGKILL");
    const next = await begin(root);
    assert.equal(await ask(next.config, "SELECT count(*)::int FROM committed"), 1000);
    assert.equal(existsSync(killed?.sockets ?? ""), false);
    await server.leave([]);
    await next.leave([]);
    assert.equal(serverOf(root), undefined);
  });

  test("of both in the middle of a statement that never looks up, the next one starts", async () => {
    used();
    const guest = visit(root);
    await guest.heard();
    await guest.told("run SELECT count(*) FROM generate_series(1, 1e18::bigint) AS n WHERE n < 0");
    const killed = serverOf(root);
    guest.child.kill("SIGKILL");
    process.kill(killed?.pid ?? 0, "SIGKILL");
    await guest.closed;
    const server = await begin(root);
    assert.equal(
      await ask(
        server.config,
        "SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE '%1e18%' AND pid <> pg_backend_pid()",
      ),
      0,
    );
    await server.leave([]);
    assert.equal(existsSync(killed?.sockets ?? ""), false);
  });

  test("of its socket's folder, the process that is left is named", async () => {
    used();
    const server = await begin(root);
    const { pid = 0, sockets = "" } = serverOf(root) ?? {};
    rmSync(sockets, { recursive: true });
    const next = await startEmbedded({ root });
    assert.ok(!next.ok && next.error.reason === "embedded-unavailable");
    assert.match(next.error.problem, new RegExp(`kill -INT ${pid}`));
    await server.leave([]);
    assert.equal(serverOf(root), undefined);
  });

  test("of everything, with the server's number in use again by another program", async () => {
    used();
    const server = await begin(root);
    const killed = serverOf(root);
    process.kill(killed?.pid ?? 0, "SIGKILL");
    const file = join(root, ".dmake/postgres/postmaster.pid");
    const lines = readFileSync(file, "utf8").split("\n");
    writeFileSync(file, [String(process.pid), ...lines.slice(1)].join("\n"));
    const next = await begin(root);
    assert.equal(await ask(next.config, "SELECT 1"), 1);
    await server.leave([]);
    await next.leave([]);
    assert.equal(serverOf(root), undefined);
  });

  test("with the pid file cut short, the next one starts", async () => {
    used();
    writeFileSync(join(root, ".dmake/postgres/postmaster.pid"), "");
    const server = await begin(root);
    await server.leave([]);
    assert.equal(serverOf(root), undefined);
  });

  test("of a first start, what it left is swept", async () => {
    fresh();
    const left = join(root, ".dmake/postgres.init-abc123/base");
    mkdirSync(left, { recursive: true });
    writeFileSync(join(left, "PG_VERSION"), "18\n");
    await (await begin(root)).leave([]);
    assert.deepEqual(readdirSync(join(root, ".dmake")).sort(), ["postgres", "postgres.log"]);
  });

  test("of a process that held the lock, it is taken over", async () => {
    used();
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    symlinkSync(`${dead}:123:abcdef`, join(root, ".dmake/postgres.lock"));
    await (await begin(root)).leave([]);
    assert.equal(serverOf(root), undefined);
  });

  test("an interrupt from the terminal ends dmake and not its server", async () => {
    used();
    const guest = visit(root);
    await guest.heard();
    const running = serverOf(root);
    process.kill(-(guest.child.pid ?? 0), "SIGINT");
    await guest.closed;
    const server = await begin(root);
    assert.equal(serverOf(root)?.pid, running?.pid);
    await server.leave([]);
  });
});

describe("the lock", () => {
  const lockPath = () => join(root, "lock");

  test("is held by one at a time, also when all find it left by a dead process", async () => {
    fresh();
    const dead = spawnSync(process.execPath, ["-e", ""]).pid;
    for (const path of [lockPath(), `${lockPath()}~`]) symlinkSync(`${dead}:123:abcdef`, path);
    let inside = 0;
    await Promise.all(
      Array.from({ length: 20 }, async () => {
        const lock = await takeLock(lockPath(), 10_000);
        assert.ok(lock.kind === "held");
        assert.equal(++inside, 1);
        await new Promise(setImmediate);
        inside--;
        lock.release();
      }),
    );
    assert.deepEqual(readdirSync(root), []);
  });

  test("names the process that holds it when waiting is over", async () => {
    fresh();
    const lock = await takeLock(lockPath(), 0);
    const refused = await takeLock(lockPath(), 0);
    assert.ok(lock.kind === "held" && refused.kind === "busy");
    assert.equal(refused.holder.pid, process.pid);
    lock.release();
  });

  test("is not that of a process which only has its holder's number", {
    skip: startTimeOf(process.pid) === undefined,
  }, async () => {
    fresh();
    symlinkSync(`${process.pid}:1:abcdef`, lockPath());
    const lock = await takeLock(lockPath(), 0);
    assert.equal(lock.kind, "held");
  });
});

describe("what cannot be", () => {
  const problemOf = async (native?: string) => {
    const started = await startEmbedded({ root, ...(native !== undefined && { native }) });
    assert.ok(!started.ok && started.error.reason === "embedded-unavailable");
    return started.error;
  };

  test("files of another PostgreSQL are left alone", async () => {
    breakable();
    const version = join(root, ".dmake/postgres/PG_VERSION");
    writeFileSync(version, "17\n");
    const { problem, help } = await problemOf();
    assert.equal(problem, "`.dmake/postgres` was made by PostgreSQL 17, and this dmake brings PostgreSQL 18");
    assert.match(help, /move `.dmake\/postgres` away/);
    assert.equal(readFileSync(version, "utf8"), "17\n");
  });

  test("a folder in the database's place is left alone", async () => {
    fresh();
    mkdirSync(join(root, ".dmake/postgres"), { recursive: true });
    writeFileSync(join(root, ".dmake/postgres/notes.txt"), "mine");
    assert.match((await problemOf()).problem, /is there but holds no database/);
    assert.equal(readFileSync(join(root, ".dmake/postgres/notes.txt"), "utf8"), "mine");
    assert.deepEqual(readdirSync(join(root, ".dmake")), ["postgres"]);
  });

  test("damaged files are named in the server's own words", async () => {
    breakable();
    rmSync(join(root, ".dmake/postgres/global/pg_control"));
    const { problem, help } = await problemOf();
    assert.match(problem, /it did not start: .*pg_control|could not find the database system/);
    assert.match(help, /postgres\.log/);
    assert.equal(existsSync(join(root, ".dmake/postgres.lock")), false);
  });

  test("without the programs, the way out is named", async () => {
    fresh();
    const { problem, help } = await problemOf(join(root, "nothing"));
    assert.match(problem, /holds no PostgreSQL/);
    assert.match(help, /DATABASE_URL/);
  });

  test("programs made for another system are told apart from a folder that is closed", async () => {
    fresh();
    const native = join(root, "native");
    for (const name of ["bin", "share/postgresql"]) mkdirSync(join(native, name), { recursive: true });
    for (const name of ["initdb", "postgres"])
      writeFileSync(join(native, "bin", name), "#!/lib/ld-of-another-system\n", { mode: 0o755 });
    writeFileSync(join(native, "share/postgresql/postgres.bki"), "# PostgreSQL 18\n");
    const { problem, help } = await problemOf(native);
    assert.match(problem, /do not run on this system/);
    assert.match(help, /GNU C library/);
  });

  test("a folder that another user has used is refused with a remedy", { skip: needsRoot }, async () => {
    used();
    const stranger = visit(root, { uid: 65534 });
    const answer = await stranger.heard();
    assert.ok(answer.reason === "embedded-unavailable" && "help" in answer);
    assert.match(String(answer.help), /sudo chown -R "\$\(id -un\)" .dmake/);
    await stranger.closed;
  });
});

describe("an install without scripts", () => {
  /** The programs without the links to their libraries. */
  function bareNative(): string {
    const found = findNative();
    assert.ok(found.ok);
    const bare = join(dirname(root), "package/native");
    mkdirSync(dirname(bare));
    cpSync(found.value, bare, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.endsWith(".a"),
    });
    for (const { target } of JSON.parse(readFileSync(join(bare, "pg-symlinks.json"), "utf8")))
      unlinkSync(join(bare, "..", target));
    return bare;
  }

  test("gets its library links made", { skip: process.platform !== "linux" }, async () => {
    fresh();
    const native = bareNative();
    await (await begin(root, native)).leave([]);
    assert.ok(existsSync(join(native, "lib/libpq.so.5")));
  });

  test("gets them in the project where packages cannot be written", { skip: needsRoot }, async () => {
    fresh({ owner: 65534 });
    const native = bareNative();
    const guest = visit(root, { uid: 65534, native });
    const answer = await guest.heard();
    assert.ok(answer.url, JSON.stringify(answer));
    await guest.told("leave");
    await guest.closed;
    assert.equal(existsSync(join(native, "lib/libpq.so.5")), false);
    assert.ok(existsSync(join(root, ".dmake/postgres.lib/libpq.so.5")));
  });
});

describe("users", { skip: needsRoot }, () => {
  /** Tries to connect as another user, with the socket opened up as far as it goes. */
  function knock(sockets: string, uid: number): string {
    const script = `import pg from "pg"; const c = new pg.Client({ host: ${JSON.stringify(sockets)}, user: "dmake", database: "dmake" });
      c.connect().then(() => console.log("let in"), (e) => console.log(e.code)).finally(() => process.exit());`;
    const cwd = fileURLToPath(new URL(".", import.meta.url));
    const options = { uid, gid: uid, cwd, encoding: "utf8", env: { PATH: process.env.PATH } } as const;
    return execFileSync(process.execPath, ["--input-type=module", "-e", script], options).trim();
  }

  for (const closed of [false, true]) {
    test(`nobody but the caller is let in, the project's folder ${closed ? "closed" : "open"} to others`, async () => {
      fresh({ closed });
      const server = await begin(root);
      const sockets = serverOf(root)?.sockets ?? "";
      const [stranger, nobody] = [1, 65534];
      assert.equal(knock(sockets, stranger), "EACCES");
      chmodSync(sockets, 0o777);
      chmodSync(join(sockets, ".s.PGSQL.5432"), 0o777);
      assert.equal(knock(sockets, stranger), "28000");
      assert.equal(knock(sockets, nobody), "28000");
      assert.equal(knock(sockets, 0), "let in");
      await server.leave([]);
    });
  }

  test("root in somebody's project leaves files that he can use, and meets him in one server", async () => {
    const daemon = 1;
    fresh({ owner: daemon });
    const first = visit(root, { uid: daemon });
    assert.ok((await first.heard()).url);
    const running = serverOf(root);
    const asRoot = await begin(root);
    assert.equal(serverOf(root)?.pid, running?.pid);
    await first.told("leave");
    await asRoot.leave([]);
    assertStopped(running);
    await (await begin(root)).leave([]);
    const again = visit(root, { uid: daemon });
    assert.ok((await again.heard()).url);
    await again.told("leave");
    await Promise.all([first.closed, again.closed]);
  });

  test("a number without an account works, or is told why not", async () => {
    const number = 54_321;
    fresh({ owner: number });
    const guest = visit(root, { uid: number });
    const answer = await guest.heard();
    if (answer.url) await guest.told("leave");
    else assert.match(JSON.stringify(answer), /54321, has no account.*DATABASE_URL/);
    await guest.closed;
    assert.equal(serverOf(root), undefined);
  });
});
