// An interrupt ends a download at any moment, and nothing of it stays open.
import assert from "node:assert/strict";
import { readdirSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { createDownload } from "../../src/recipes/download.js";
import { csv } from "../rig/download.js";
import { desk, type Handler, sendFile, serve } from "../rig/web.js";

const body = csv(400_000);

const servers: Record<string, Handler> = {
  whole: (request, response) => sendFile(request, response, { body, etag: '"v1"' }),
  "cut and resumed": (request, response, times) =>
    sendFile(request, response, { body, etag: '"v1"', ...(times % 3 && { cutAfter: 90_000 }) }),
  packed: (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(body)),
  redirected: (request, response) => {
    if (request.url === "/x") sendFile(request, response, { body });
    else response.writeHead(302, { location: "/x" }).end();
  },
  busy: (_, response) => response.writeHead(503).end(),
  silent: () => {},
};

const openFiles = (directory: string): number => {
  const links = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return "";
    }
  });
  return links.filter((link) => link.startsWith(directory)).length;
};

const sockets = (): number =>
  process.getActiveResourcesInfo().filter((name) => /^(TCPSocket|TCPConnect|TLS|Timeout)/.test(name)).length;

/** Lets so many turns of the loop pass, so that the interrupt comes at another place each time. */
async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left--) await turn();
}

test("interrupted after any number of turns, it ends and holds neither socket nor timer nor file", {
  skip: process.platform !== "linux",
  timeout: 60_000,
}, async (t) => {
  const run = createDownload({
    wait: (_ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      }),
  });
  for (const [story, handler] of Object.entries(servers)) {
    const web = await serve(t, handler);
    let interrupted = 0;
    for (let after = 0; after < 20; after += 2) {
      const made = desk(t, { url: web.origin, recipe: { timeoutMs: 60_000, retries: 9 } });
      const running = run(made.recipe, made.job);
      await turns(after);
      const aborted = performance.now();
      made.abort.abort();
      const result = await running;
      if (!result.ok) {
        assert.deepEqual(result.error, { reason: "interrupted" }, story);
        interrupted++;
      }
      assert.ok(performance.now() - aborted < 3000, `${story} after ${after} turns`);
      assert.equal(openFiles(made.directory), 0, `${story} after ${after} turns: a file is open`);
    }
    assert.ok(interrupted > 0, story);
  }
  // The server's own ends go a moment after ours.
  for (let left = 2000; left > 0 && sockets() > 0; left--) await turn();
  assert.equal(sockets(), 0, process.getActiveResourcesInfo().join());
});
