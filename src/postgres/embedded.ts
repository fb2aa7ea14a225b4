// The project's own PostgreSQL: started when first needed, shared by every dmake of the project, stopped by the last to leave. Knows nothing of URLs that people set, nor of tables.
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type pg from "pg";
import { fail, ok, type Result } from "../core/failure.js";
import { type Lock, takeLock } from "../system/lock.js";
import { findNative, openBinaries } from "./embedded-binaries.js";
import { ownerName, prepareCluster, startHelp } from "./embedded-cluster.js";
import {
  disownPidFile,
  endOrphans,
  findPostmaster,
  startPostmaster,
  stopPostmaster,
} from "./embedded-postmaster.js";
import { configOf, enter, isAlone, type Presence } from "./embedded-presence.js";
import { openSite, type Site, siteFailure } from "./embedded-site.js";
import { chooseUser } from "./embedded-user.js";

/** A running server that this process takes part in until it leaves. */
export interface EmbeddedServer {
  /** For psql and others run by the same user on the same machine. There is no password. */
  readonly url: string;
  /** For `pg`: complete, so that nothing is taken from the environment. */
  readonly config: pg.ClientConfig;
  /**
   * Goes. The server stops if nobody else is connected, dmake or not, and it was not asked to stay.
   * `own` names backends of this process that may not have ended yet.
   */
  leave(own: readonly number[]): Promise<void>;
}

export interface EmbeddedOptions {
  /** The project's folder. */
  readonly root: string;
  /** The folder `native` of a platform package, where it is not to be the installed one. */
  readonly native?: string;
}

/** Long enough for a slow disk to make the database files, or to replay the log after a crash. */
const startMs = 60_000;
const lockMs = 2 * startMs;
const retryMs = 25;

/**
 * Finds the project's server or starts it, and stays connected to it, by which other processes know that it is needed.
 *
 * Starting and stopping happen under a lock in `.dmake`, so several processes can come and go at once. A server whose
 * dmake was killed is taken over as it is.
 */
export function startEmbedded(options: EmbeddedOptions): Promise<Result<EmbeddedServer>> {
  return underLock(
    () => openSite(options.root),
    async (site) => {
      const reached = await reach(site, options);
      return reached.ok ? ok(serverOf(site, reached.value)) : reached;
    },
  );
}

/** Stops a server that nobody is connected to, also one that was asked to stay. */
export function stopEmbedded(
  options: EmbeddedOptions,
): Promise<Result<"stopped" | "not-running" | "in-use">> {
  return underLock(
    () => openSite(options.root),
    async (site) => {
      rmSync(site.keep, { force: true });
      const postmaster = findPostmaster(site.data);
      if (postmaster === undefined) return ok("not-running");
      const entered = await enter(site, postmaster, performance.now() + startMs);
      if (entered.kind === "absent") return ok("not-running");
      if (entered.kind === "refused")
        return fail({ reason: "embedded-unavailable", problem: entered.problem, help: startHelp });
      return ok(await depart(site, entered.presence, []));
    },
  );
}

/** The server stays up when the last dmake leaves, until `stopEmbedded`. */
export function keepEmbedded(options: EmbeddedOptions): void {
  writeFileSync(openSite(options.root).keep, "");
}

async function underLock<T>(open: () => Site, work: (site: Site) => Promise<Result<T>>): Promise<Result<T>> {
  let lock: Lock | undefined;
  try {
    const site = open();
    lock = await takeLock(site.lock, lockMs);
    if (lock.kind === "busy") return fail(busy(lock.holder.pid));
    return await work(site);
  } catch (error) {
    return siteFailure(error);
  } finally {
    if (lock?.kind === "held") lock.release();
  }
}

const busy = (pid: number) => ({
  reason: "embedded-unavailable" as const,
  problem: `process ${pid} has been starting or stopping it for ${lockMs / 60_000} minutes`,
  help: `see what that process does; if it hangs, end it: \`kill ${pid}\``,
});

//  look ──runs──► enter ──entered──► done
//   ▲  └─absent─► start ──ready────► enter
//   └── entering or starting failed, and it may pass; until the deadline ──
async function reach(site: Site, options: EmbeddedOptions): Promise<Result<Presence>> {
  const deadline = performance.now() + startMs;
  for (;;) {
    const running = findPostmaster(site.data);
    const started = running
      ? ok({ kind: "ready" as const, postmaster: running })
      : await start(site, options, deadline);
    if (!started.ok) return started;
    let problem: string;
    if (started.value.kind === "ready") {
      const { postmaster } = started.value;
      const entered = await enter(site, postmaster, deadline);
      if (entered.kind === "entered") return ok(entered.presence);
      problem = entered.problem;
      if (entered.kind === "refused")
        return fail({ reason: "embedded-unavailable", problem, help: startHelp });
    } else {
      problem = started.value.problem;
      if (/shared memory block .* is still in use/.test(problem)) endOrphans(site);
      else if (!/lock file .* already exists/.test(problem)) return fail(didNotStart(problem));
    }
    if (performance.now() > deadline) return fail(didNotStart(problem));
    await sleep(retryMs);
  }
}

const didNotStart = (problem: string) => ({
  reason: "embedded-unavailable" as const,
  problem: `it did not start: ${problem}`,
  help: startHelp,
});

async function start(site: Site, options: EmbeddedOptions, deadline: number) {
  const native = options.native === undefined ? findNative() : ok(options.native);
  if (!native.ok) return native;
  const binaries = openBinaries(native.value, site.libraries);
  if (!binaries.ok) return binaries;
  const user = chooseUser(binaries.value, site);
  if (!user.ok) return user;
  const prepared = await prepareCluster(site, binaries.value, user.value);
  if (!prepared.ok) return prepared;
  disownPidFile(site);
  return ok(await startPostmaster(site, binaries.value, user.value, deadline));
}

function serverOf(site: Site, presence: Presence): EmbeddedServer {
  const { sockets } = presence.postmaster;
  return {
    url: `postgresql://${ownerName}@/${ownerName}?host=${encodeURIComponent(sockets)}`,
    config: configOf(sockets, ownerName),
    leave: async (own) => {
      const left = await underLock(
        () => site,
        async () =>
          ok(existsSync(site.keep) ? await presence.client.end() : await depart(site, presence, own)),
      );
      // The lock is busy or `.dmake` gone: the server stays, and the next dmake that finds it stops it.
      if (!left.ok) await presence.client.end();
    },
  };
}

/**
 * Ends our connection, and the server too if it was the last. Called under the lock: whoever comes waits for us, and
 * `end` answers only when PostgreSQL no longer counts us, so that of two who leave at once the second finds itself alone.
 */
async function depart(
  site: Site,
  { postmaster, client }: Presence,
  own: readonly number[],
): Promise<"stopped" | "in-use"> {
  const alone = await isAlone(client, own);
  await client.end();
  if (!alone) return "in-use";
  // Our own statements are not worth waiting for; somebody's psql that slipped in is, for a moment.
  const patienceMs = own.length > 0 ? 0 : 1_000;
  return (await stopPostmaster(site, postmaster, patienceMs)) ? "stopped" : "in-use";
}
