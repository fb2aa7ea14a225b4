// A process that has downloaded holds nothing open: it can end at once, however the download ended.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { type Handler, serve } from "../rig/web.js";

/** What is asked for, what becomes of it, and how the server does that. The long bodies have no end. */
const stories: readonly (readonly [path: string, ended: string, handler: Handler])[] = [
  ["/whole", "made", (_, response) => response.end("id\n1\n")],
  ["/circle", "download-redirects", (_, response) => response.writeHead(302, { location: "/circle" }).end()],
  ["/around", "download-redirects", (_, response) => response.writeHead(302, { location: "/circle" }).end()],
  [
    "/empty",
    "download-redirects",
    (_, response) => response.writeHead(302, { location: "/empty", "content-length": 0 }).end(),
  ],
  [
    "/long-circle",
    "download-redirects",
    (_, response) => response.writeHead(302, { location: "/long-circle" }).write("x".repeat(1e6)),
  ],
  ["/moved", "made", (_, response) => response.writeHead(307, { location: "/whole" }).end("moved")],
  [
    "/away",
    "download-redirect-refused",
    (_, response) => response.writeHead(302, { location: "ftp://127.0.0.1/" }).end(),
  ],
  ["/missing", "download-status", (_, response) => response.writeHead(404).write("x".repeat(1e6))],
  ["/busy", "download-status", (_, response) => response.writeHead(503).write("x".repeat(1e6))],
  ["/page", "download-not-data", (_, response) => response.end("<!doctype html><html>")],
  ["/digest", "digest-mismatch", (_, response) => response.end("id\n1\n")],
  [
    "/zipped",
    "download-not-data",
    (_, response) => response.writeHead(200, { "content-encoding": "rot13" }).write("x"),
  ],
  [
    "/short",
    "download-incomplete",
    (_, response) => response.writeHead(200, { "content-length": 9 }).write("id\n", () => response.destroy()),
  ],
  ["/silent", "interrupted", () => {}],
];

test("a process ends by itself once its downloads have, and warns of nothing", {
  timeout: 30_000,
}, async (t) => {
  const web = await serve(t, (request, response, times) => {
    const { pathname } = new URL(request.url!, "http://127.0.0.1");
    stories.find(([path]) => path === pathname)![2](request, response, times);
  });
  const directory = mkdtempSync(join(tmpdir(), "dmake-exit-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const urls = stories.map(([path]) => `${web.origin}${path}`);
  const child = join(import.meta.dirname, "download-child.ts");
  // Killed after ten seconds: an open socket would hold it for over a minute.
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", child, directory, ...urls],
    { timeout: 10_000 },
  );
  const told = stories.map(([path, ended]) => `${path} ${ended} 0`);
  assert.deepEqual(stdout.trimEnd().split("\n"), [...told, "at once 1 0"]);
  assert.equal(stderr, "");
});
