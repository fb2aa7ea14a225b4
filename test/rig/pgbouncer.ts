// A throw-away PgBouncer in front of a server, in transaction mode: its own folder, a port on loopback, small pools. Knows nothing of dmake.
import { execFileSync, spawn } from "node:child_process";
import { chownSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";

const nobody = 65534;

/** Why there is none here, for the test that is skipped; nothing if there is one. */
export const noPgBouncer: string | undefined = (() => {
  try {
    execFileSync("pgbouncer", ["--version"], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return "PgBouncer is not installed";
  }
})();

export interface Pooler {
  /** The same database by way of the pooler. */
  through(url: string): string;
  stop(): Promise<void>;
}

/** Each transaction gets one of `size` connections to the server, and gives it back when it is over. */
export async function startPgBouncer(server: { readonly url: string }, size: number): Promise<Pooler> {
  const home = mkdtempSync(join(tmpdir(), "dmake-pgb-"));
  const as = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {};
  const { hostname, port: upstream, username, password } = new URL(server.url);
  const port = await freePort();
  writeFileSync(join(home, "users"), `"${username}" "${password}"\n`);
  writeFileSync(
    join(home, "pgbouncer.ini"),
    `[databases]
* = host=${hostname} port=${upstream}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(home, "users")}
pool_mode = transaction
default_pool_size = ${size}
`,
  );
  if (as.uid !== undefined)
    for (const path of [home, join(home, "users"), join(home, "pgbouncer.ini")])
      chownSync(path, nobody, nobody);
  const child = spawn("pgbouncer", [join(home, "pgbouncer.ini")], {
    ...as,
    cwd: "/",
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  const through = (url: string): string => {
    const by = new URL(url);
    by.port = String(port);
    return by.href;
  };
  for (;;) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended with ${child.exitCode}: ${said}`);
    const client = new pg.Client(through(server.url));
    const up = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => undefined);
    if (up) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return {
    through,
    stop: async () => {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      if (child.exitCode === null) await ended;
      rmSync(home, { recursive: true, force: true });
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
