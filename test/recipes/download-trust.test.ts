import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { assertMade, brotli, csv, digestOf, failureOf, fetchTo, traceOf } from "../rig/download.js";
import { sendFile, serve } from "../rig/web.js";

test("a page in place of data never becomes a file of data", async (t) => {
  const page = Buffer.from("<!DOCTYPE html>\n<html><title>Log in</title>tok-s3cret</html>");
  const broken = new URL("../data/broken/", import.meta.url);
  const denied = readFileSync(new URL("access-denied.parquet", broken));
  const pointer = readFileSync(new URL("lfs-pointer.csv", broken));
  const parquet = Buffer.from("PAR1 rows and rows \x04\0\0\0PAR1");
  const cases: readonly (readonly [string, Buffer, string | undefined])[] = [
    ["a.parquet", page, "html"],
    ["a.csv", page, "html"],
    ["a.csv.gz", page, "html"],
    ["a.csv.gz", gzipSync(page), "html"],
    ["a.html", page, undefined],
    ["a", page, undefined],
    ["a.parquet", denied, "xml"],
    ["a.csv", denied, "xml"],
    ["a.csv", pointer, "git-lfs pointer"],
    ["a.parquet", parquet, undefined],
    ["a.parquet", parquet.subarray(0, -2), "parquet without its end"],
    ["a.parquet", Buffer.alloc(0), "empty"],
  ];
  for (const [name, body, found] of cases) {
    const web = await serve(t, (request, response) => sendFile(request, response, { body, etag: '"v1"' }));
    const got = await fetchTo(t, { url: `${web.origin}/x?token=tok-s3cret`, name });
    if (found === undefined) assertMade(got, body);
    else {
      const failure = failureOf(got, "download-not-data");
      assert.equal(failure.found, found);
      assert.ok(failure.head.length <= 200 && !/[\n\0]|s3cret/.test(failure.head), failure.head);
    }
  }
});

test("the digest a Datafile asks for is compared, in any case of letters", async (t) => {
  const body = csv(5000);
  const right = digestOf(body).slice("sha256:".length);
  const web = await serve(t, (request, response) => sendFile(request, response, { body }));
  assertMade(await fetchTo(t, { url: web.origin, recipe: { sha256: right.toUpperCase() } }), body);
  const wrong = "ab".repeat(32);
  const failure = failureOf(
    await fetchTo(t, { url: web.origin, recipe: { sha256: wrong } }),
    "digest-mismatch",
  );
  assert.deepEqual([failure.expected, failure.found], [`sha256:${wrong}`, digestOf(body)]);
});

test("a file that has not changed is not sent again", async (t) => {
  const lastModified = "Tue, 05 Jan 2021 10:00:00 GMT";
  const web = await serve(t, (_, response) => response.writeHead(304, { etag: '"v1"' }).end());
  const facts = { url: `${web.origin}/x`, etag: '"v1"', lastModified, bytes: 7, rows: 3 };
  const got = await fetchTo(t, { url: `${web.origin}/x`, previous: traceOf(facts) });
  assert.deepEqual(got.result, { ok: true, value: { kind: "unchanged", facts } });
  const { headers } = web.requests[0]!;
  assert.deepEqual([headers["if-none-match"], headers["if-modified-since"]], ['"v1"', lastModified]);
  assert.ok(!existsSync(join(got.directory, ".staged.tmp")), "nothing is staged");
});

test("a file that has changed is sent whole, with its new validators", async (t) => {
  const body = csv(1000);
  const web = await serve(t, (request, response) => sendFile(request, response, { body, etag: '"v2"' }));
  const got = await fetchTo(t, {
    url: web.origin,
    previous: traceOf({ url: web.origin, etag: '"v1"', rows: 3 }),
  });
  assert.deepEqual(assertMade(got, body), { bytes: 1000, url: web.origin, etag: '"v2"' });
});

test("the server is not asked whether another file has changed", async (t) => {
  const body = csv(1000);
  const web = await serve(t, (request, response) => {
    assert.deepEqual(
      [request.headers["if-none-match"], request.headers["if-modified-since"]],
      [undefined, undefined],
    );
    sendFile(request, response, { body });
  });
  const lastModified = "Tue, 05 Jan 2021 10:00:00 GMT";
  const elsewhere = traceOf({ url: `${web.origin}/other`, etag: '"v1"', lastModified });
  assertMade(await fetchTo(t, { url: `${web.origin}/x`, previous: elsewhere }), body);
  // The key may choose the file, and is hidden in the record: a date would fit both.
  const hidden = traceOf({ url: `${web.origin}/x?key=***`, lastModified });
  assertMade(await fetchTo(t, { url: `${web.origin}/x?key=b`, previous: hidden }), body);
  const otherBytes = traceOf({ url: `${web.origin}/x`, etag: '"v1"' });
  const sha256 = digestOf(body).slice("sha256:".length);
  assertMade(await fetchTo(t, { url: `${web.origin}/x`, previous: otherBytes, recipe: { sha256 } }), body);
});

test("what the server packed for the way is unpacked, what belongs to the file is not", async (t) => {
  const table = csv(300_000);
  const packed = gzipSync(table);
  const cases: readonly (readonly [string, string, Buffer, Buffer])[] = [
    ["a.csv", "gzip", packed, table],
    ["a.csv", "x-gzip", packed, table],
    ["a.csv", "br", brotli(table), table],
    ["a.csv", "br, gzip", gzipSync(brotli(table)), table],
    ["a.csv", "aws-chunked", table, table],
    ["a.csv.gz", "gzip", packed, packed],
    ["a.csv.gz", "identity", packed, packed],
    ["a.csv.gz", "br", brotli(packed), packed],
    ["a.csv.gz", "gzip", gzipSync(packed), packed],
  ];
  for (const [name, coding, sent, kept] of cases) {
    const web = await serve(t, (_, response) =>
      response
        .writeHead(200, { "content-encoding": coding, "content-length": sent.length, etag: '"v1"' })
        .end(sent),
    );
    assertMade(await fetchTo(t, { url: web.origin, name }), kept);
  }
});

test("an encoding that is a lie, or not known, is a clear failure", async (t) => {
  const lie = await serve(t, (_, response) =>
    response.writeHead(200, { "content-encoding": "gzip" }).end("a,b\n1,2\n"),
  );
  const failure = failureOf(await fetchTo(t, { url: lie.origin }), "download-network");
  assert.match(failure.message, /not encoded as the server says/);
  const short = await serve(t, (_, response) =>
    response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync(csv(99)).subarray(0, -9)),
  );
  failureOf(await fetchTo(t, { url: short.origin }), "download-network");
  const exotic = await serve(t, (_, response) =>
    response.writeHead(200, { "content-encoding": "dcb" }).end("?"),
  );
  assert.equal(failureOf(await fetchTo(t, { url: exotic.origin }), "download-not-data").found, "dcb");
});
