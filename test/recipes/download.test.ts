import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { createDownload, runDownload } from "../../src/recipes/download.js";
import { assertMade, csv, failureOf, fetchTo } from "../rig/download.js";
import { type Desk, desk, sendFile, serve } from "../rig/web.js";

test("a file arrives with its digest, its size and what the server said about it", async (t) => {
  const body = csv(300_000);
  const lastModified = "Tue, 05 Jan 2021 10:00:00 GMT";
  const web = await serve(t, (request, response) => {
    response.setHeader("last-modified", lastModified);
    sendFile(request, response, { body, etag: '"v1"' });
  });
  const got = await fetchTo(t, { url: `${web.origin}/trips.csv` });
  const facts = assertMade(got, body);
  assert.deepEqual(facts, { bytes: body.length, url: `${web.origin}/trips.csv`, etag: '"v1"', lastModified });
  assert.equal(web.requests[0]?.headers["accept-encoding"], "identity");
  assert.deepEqual(got.progress.at(-1), {
    phase: "downloading",
    done: body.length,
    total: body.length,
    unit: "bytes",
  });
  assert.ok(got.progress.length < 20, "progress is for people, not one a chunk");
});

test("an empty file is a file", async (t) => {
  const web = await serve(t, (_, response) => response.writeHead(200, { "content-length": 0 }).end());
  assertMade(await fetchTo(t, { url: web.origin }), Buffer.alloc(0));
});

test("busy servers are asked again, as late as they ask for and at most a minute later", async (t) => {
  const body = csv(100);
  const date = "Tue, 05 Jan 2021 10:00:00 GMT";
  const answers = [
    [503, {}],
    [429, { "retry-after": "7" }],
    [503, { "retry-after": "Tue, 05 Jan 2021 10:00:09 GMT", date }],
    [429, { "retry-after": "86400" }],
    [500, { "retry-after": "soon" }],
  ] as const;
  const web = await serve(t, (request, response, times) => {
    const answer = answers[times - 1];
    if (answer) response.writeHead(answer[0], answer[1]).end("busy");
    else sendFile(request, response, { body });
  });
  const got = await fetchTo(t, { url: web.origin, recipe: { retries: 5 } });
  assertMade(got, body);
  const [first = 0, ...others] = got.waits;
  assert.ok(first >= 250 && first <= 500, `the first wait is short: ${first}`);
  assert.deepEqual(others.slice(0, 3), [7000, 9000, 60_000]);
  assert.ok(others[3]! >= 4000 && others[3]! <= 8000, `the fifth doubled four times: ${others[3]}`);
  assert.match(got.logged.join(""), /the server answered 503 Service Unavailable; trying again in/);
});

test("after the last retry the server's status is told", async (t) => {
  for (const status of [408, 425, 429, 500, 502, 503, 504]) {
    const web = await serve(t, (_, response) => response.writeHead(status).end());
    const failure = failureOf(
      await fetchTo(t, { url: web.origin, recipe: { retries: 2 } }),
      "download-status",
    );
    assert.deepEqual([failure.status, failure.attempts, web.requests.length], [status, 3, 3]);
  }
});

test("what will not pass is not tried again", async (t) => {
  for (const status of [400, 401, 403, 404, 410, 501, 204, 206, 304, 416]) {
    const web = await serve(t, (_, response) => response.writeHead(status).end());
    const got = await fetchTo(t, { url: `${web.origin}/x?sig=s3cret` });
    const failure = failureOf(got, "download-status");
    assert.deepEqual([failure.status, failure.attempts, failure.url], [status, 1, `${web.origin}/x?sig=***`]);
    assert.ok(!existsSync(join(got.directory, ".staged.tmp")), "nothing is staged");
  }
});

test("a server that is not there, or falls silent, is a network failure after the retries", async (t) => {
  const web = await serve(t, () => {});
  const silent = await fetchTo(t, { url: web.origin, recipe: { retries: 1, timeoutMs: 50 } });
  assert.match(failureOf(silent, "download-network").message, /timeout/i);
  assert.equal(web.requests.length, 2);
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const absent = failureOf(await fetchTo(t, { url: `http://127.0.0.1:${port}/` }), "download-network");
  assert.match(absent.message, /ECONNREFUSED/);
  assert.equal(absent.attempts, 4);
});

test("an interrupt stops at once: before the answer, in the body, and while waiting", async (t) => {
  const body = csv(3_000_000);
  const moments: Record<string, (made: Desk) => Promise<unknown>> = {
    "before the answer": async (made) => {
      const web = await serve(t, () => made.abort.abort());
      return runDownload({ ...made.recipe, url: web.origin }, made.job);
    },
    "in the body": async (made) => {
      const web = await serve(t, (_, response) => {
        response.writeHead(200, { "content-length": body.length * 2 }).write(body, () => made.abort.abort());
      });
      return runDownload({ ...made.recipe, url: web.origin }, made.job);
    },
    "while waiting": async (made) => {
      const web = await serve(t, (_, response) => {
        response.writeHead(503, { "retry-after": "50" }).end();
      });
      const job = { ...made.job, log: () => setImmediate(() => made.abort.abort()) };
      return runDownload({ ...made.recipe, url: web.origin }, job);
    },
    "before it began": async (made) => {
      made.abort.abort();
      return runDownload({ ...made.recipe, url: "http://127.0.0.1:9/" }, made.job);
    },
  };
  for (const [moment, act] of Object.entries(moments)) {
    const started = performance.now();
    assert.deepEqual(
      await act(desk(t, { url: "" })),
      { ok: false, error: { reason: "interrupted" } },
      moment,
    );
    assert.ok(performance.now() - started < 2000, moment);
  }
});

test("a connection that is still being made goes with the interrupt", { timeout: 5000 }, async (t) => {
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name.startsWith("TCP")).length;
  // Takes the connection and never says a word of TLS.
  const greeted = new EventEmitter();
  const mute = createServer((socket) => {
    socket.on("error", () => {});
    t.after(() => socket.destroy());
    greeted.emit("greeted");
  });
  await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
  t.after(() => mute.close());
  const url = `https://127.0.0.1:${(mute.address() as AddressInfo).port}/`;
  const made = desk(t, { url, recipe: { retries: 9, timeoutMs: 60_000 } });
  const before = sockets();
  const met = once(greeted, "greeted");
  const running = runDownload(made.recipe, made.job);
  await met;
  made.abort.abort();
  assert.deepEqual(await running, { ok: false, error: { reason: "interrupted" } });
  // The mute server's own end of the connection stays.
  for (let turns = 0; turns < 50 && sockets() > before + 1; turns++) await new Promise(setImmediate);
  assert.ok(sockets() <= before + 1, "no socket is left to keep the process alive");
});

test("a disk that is full is a failure of the disk, and not tried again", {
  skip: !existsSync("/dev/full"),
}, async (t) => {
  const body = csv(300_000);
  const web = await serve(t, (request, response) => sendFile(request, response, { body, etag: '"v1"' }));
  const failure = failureOf(await fetchTo(t, { url: web.origin, path: "/dev/full" }), "io");
  assert.deepEqual(failure, { reason: "io", doing: "write", path: "/dev/full", code: "ENOSPC" });
  assert.equal(web.requests.length, 1);
  failureOf(await fetchTo(t, { url: web.origin, path: "/nowhere/at/all" }), "io");
});

test("memory stays flat for a large body", async (t) => {
  const chunk = csv(1_000_000);
  const chunks = 200;
  const web = await serve(t, async (_, response) => {
    response.writeHead(200, { "content-length": chunk.length * chunks });
    for (let sent = 0; sent < chunks; sent++)
      if (!response.write(chunk)) await new Promise((resolve) => response.once("drain", resolve));
    response.end();
  });
  const before = process.memoryUsage().rss;
  let highest = 0;
  const made = desk(t, { url: web.origin, path: "/dev/null" });
  const job = {
    ...made.job,
    progress: () => {
      highest = Math.max(highest, process.memoryUsage().rss);
    },
  };
  const result = await createDownload({ wait: async () => {} })(made.recipe, job);
  assert.ok(result.ok && result.value.facts.bytes === chunk.length * chunks, JSON.stringify(result));
  assert.ok(highest - before < 120e6, `grew by ${Math.round((highest - before) / 1e6)} MB`);
});

test("a file of this machine is copied and checked alike", async (t) => {
  const made = desk(t, { url: "" });
  const body = csv(700_000);
  const source = join(made.directory, "månad 1.csv");
  writeFileSync(source, body);
  const url = pathToFileURL(source).href;
  assert.deepEqual(assertMade(await fetchTo(t, { url }), body), { bytes: body.length, url });
  failureOf(await fetchTo(t, { url, name: "a.parquet" }), "download-not-data");
  failureOf(await fetchTo(t, { url, recipe: { sha256: "00".repeat(32) } }), "digest-mismatch");
  const missing = failureOf(await fetchTo(t, { url: `${url}.gone` }), "source-missing");
  assert.equal(missing.path, `${source}.gone`);
  mkdirSync(join(made.directory, "dir"));
  assert.equal(
    failureOf(await fetchTo(t, { url: pathToFileURL(join(made.directory, "dir")).href }), "io").code,
    "EISDIR",
  );
  symlinkSync(source, join(made.directory, "link.csv"));
  assertMade(await fetchTo(t, { url: pathToFileURL(join(made.directory, "link.csv")).href }), body);
});

test("a file URL without a slash starts at the root of the project", async (t) => {
  const url = "file:test/data/broken/lfs-pointer.csv";
  assertMade(await fetchTo(t, { url, name: "pointer" }), readFileSync("test/data/broken/lfs-pointer.csv"));
});
