// What a server says of a body's length and end is checked as far as it can be.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { assertMade, csv, failureOf, fetchTo } from "../rig/download.js";
import { response, sendFile, serve, serveRaw } from "../rig/web.js";

const body = csv(100_000);
const sha256 = createHash("sha256").update(body).digest("hex");

test("bytes beyond the Content-Length are noticed, in the same packet or later, kept open or closed", async (t) => {
  const head = ["Content-Length: 99000"];
  const ways: Record<string, (socket: Socket) => void> = {
    "in one piece, closed": (socket) => socket.end(response([...head, "Connection: close"], body)),
    "in one piece, kept": (socket) => void socket.write(response(head, body)),
    "later, closed": (socket) => {
      socket.write(response([...head, "Connection: close"], body.subarray(0, 99_000)));
      setTimeout(() => socket.end(body.subarray(99_000)), 30);
    },
    "later, kept": (socket) => {
      socket.write(response(head, body.subarray(0, 99_000)));
      setTimeout(() => socket.write(body.subarray(99_000)), 30);
    },
  };
  for (const [way, answer] of Object.entries(ways)) {
    const web = await serveRaw(t, answer);
    const failure = failureOf(
      await fetchTo(t, { url: web.origin, recipe: { retries: 1 } }),
      "download-network",
    );
    assert.match(failure.message, /more bytes came after the end/, way);
    assert.deepEqual([failure.attempts, web.count()], [2, 2], way);
  }
});

test("a server that keeps the connection although it was asked to close it is not waited for long", async (t) => {
  const web = await serveRaw(t, (socket, _, request) => {
    assert.match(request, /^connection: close\r$/im);
    socket.write(response([`Content-Length: ${body.length}`], body));
  });
  const started = performance.now();
  assertMade(await fetchTo(t, { url: web.origin }), body);
  assert.ok(performance.now() - started < 4000);
});

test("a body that only its connection ends is believed when it comes twice, and not where it is reset", async (t) => {
  const whole = await serveRaw(t, (socket) => socket.end(response([], body)));
  assertMade(await fetchTo(t, { url: whole.origin, recipe: { retries: 0 } }), body);
  assert.equal(whole.count(), 2);

  const cutOnce = await serveRaw(t, (socket, times) =>
    socket.end(response([], times === 1 ? body.subarray(0, 50_000) : body)),
  );
  assertMade(await fetchTo(t, { url: cutOnce.origin }), body);
  assert.equal(cutOnce.count(), 3);

  const cut = await serveRaw(t, (socket, times) =>
    socket.end(response([], body.subarray(0, 50_000 - times))),
  );
  const failure = failureOf(
    await fetchTo(t, { url: cut.origin, recipe: { retries: 2 } }),
    "download-network",
  );
  assert.match(failure.message, /does not say how long the file is/);
  assert.equal(cut.count(), 4);

  const reset = await serveRaw(t, (socket) => {
    socket.write(response(["Connection: close"], body.subarray(0, 50_000)));
    setTimeout(() => socket.resetAndDestroy(), 20);
  });
  const broken = failureOf(
    await fetchTo(t, { url: reset.origin, recipe: { retries: 1 } }),
    "download-network",
  );
  assert.match(broken.message, /ECONNRESET/);
  assert.equal(reset.count(), 2);
});

test("a digest in the Datafile is all that such a body needs, and one that more comes after", async (t) => {
  for (const answer of [response([], body), response([`Content-Length: ${body.length}`], body, "\r\n")]) {
    const web = await serveRaw(t, (socket) => socket.end(answer));
    assertMade(await fetchTo(t, { url: web.origin, recipe: { sha256 } }), body);
    assert.equal(web.count(), 1);
  }
});

test("a length that is none, or two, is a failure of the network after the tries", async (t) => {
  for (const length of [
    "-1",
    "1x",
    "",
    "99999999999999999999999",
    "5\r\nContent-Length: 6",
    "5\r\nTransfer-Encoding: chunked",
  ]) {
    const web = await serveRaw(t, (socket) => socket.end(response([`Content-Length: ${length}`], body)));
    const failure = failureOf(
      await fetchTo(t, { url: web.origin, recipe: { retries: 1 } }),
      "download-network",
    );
    assert.deepEqual([failure.attempts, web.count()], [2, 2], length);
    assert.ok(!JSON.stringify(failure).includes("fare"), "the message holds nothing of the body");
  }
});

test("a coding of the connection that nobody asked for is refused", async (t) => {
  for (const coding of ["gzip, chunked", "gzip"]) {
    const web = await serveRaw(t, (socket) =>
      socket.end(response([`Transfer-Encoding: ${coding}`], gzipSync(body))),
    );
    assert.equal(failureOf(await fetchTo(t, { url: web.origin }), "download-not-data").found, "gzip");
  }
});

test("headers that never end, and hints without a response, are not waited for longer than the timeout", async (t) => {
  const dripped = await serveRaw(t, (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nX-A: ");
    const drip = setInterval(() => socket.write("a"), 10);
    socket.on("close", () => clearInterval(drip));
  });
  const recipe = { retries: 1, timeoutMs: 100 };
  const silent = failureOf(await fetchTo(t, { url: dripped.origin, recipe }), "download-network");
  assert.match(silent.message, /Headers Timeout/);
  const hints = await serveRaw(t, (socket) => {
    const drip = setInterval(() => socket.write("HTTP/1.1 103 Early Hints\r\n\r\n"), 5);
    socket.on("close", () => clearInterval(drip));
  });
  failureOf(
    await fetchTo(t, { url: hints.origin, recipe: { retries: 1, timeoutMs: 60_000 } }),
    "download-network",
  );
  const long = await serveRaw(t, (socket) => socket.end(response([`X-A: ${"a".repeat(1e5)}`], "x")));
  const overflow = failureOf(await fetchTo(t, { url: long.origin }), "download-network");
  assert.deepEqual([overflow.attempts, long.count()], [1, 1], "headers that are too long stay so");
});

test("a body that drips is waited for: only silence ends it", async (t) => {
  const web = await serveRaw(t, async (socket) => {
    socket.write(response(["Content-Length: 20"]));
    for (const letter of csv(20).toString()) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      socket.write(letter);
    }
  });
  assertMade(await fetchTo(t, { url: web.origin, recipe: { retries: 0, timeoutMs: 200 } }), csv(20));
});

test("a packed body on a connection that closes early is unpacked to its end", async (t) => {
  // Nothing in it packs well, so it is longer than any buffer on the way.
  const table = Buffer.from(`id\n${randomBytes(600_000).toString("hex")}\n`);
  const packed = gzipSync(table);
  const web = await serveRaw(t, (socket) =>
    socket.end(
      response(["Connection: close", "Content-Encoding: gzip", `Content-Length: ${packed.length}`], packed),
    ),
  );
  assertMade(await fetchTo(t, { url: web.origin, recipe: { retries: 0 } }), table);
});

test("a range whose whole nobody knows may be any piece of it, and is not believed", async (t) => {
  const web = await serve(t, (request, answer, times) => {
    if (times === 1) {
      answer.writeHead(200, { etag: '"v1"' }).write(body.subarray(0, 1000), () => answer.socket?.end());
      return;
    }
    if (!request.headers.range) return void answer.end(body);
    answer
      .writeHead(206, { etag: '"v1"', "content-range": "bytes 1000-1999/*" })
      .end(body.subarray(1000, 2000));
  });
  assertMade(await fetchTo(t, { url: web.origin }), body);
  assert.deepEqual(
    web.requests.map(({ headers }) => headers.range),
    [undefined, "bytes=1000-", undefined],
  );
});

test("pieces that do not make the file of the digest are fetched again in one", async (t) => {
  const other = Buffer.from(body.toString().replaceAll("5", "8"));
  const web = await serve(t, (request, answer, times) =>
    sendFile(request, answer, {
      body: times === 1 ? other : body,
      etag: '"same"',
      ...(times === 1 && { cutAfter: 5000 }),
    }),
  );
  assertMade(await fetchTo(t, { url: web.origin, recipe: { sha256 } }), body);
  assert.deepEqual(
    web.requests.map(({ headers }) => headers.range),
    [undefined, "bytes=5000-", undefined],
  );
});

test("validators that could not be sent back as they came are neither sent nor kept", async (t) => {
  for (const etag of ['"a\u00f1"', '"a", "b"']) {
    const web = await serveRaw(t, (socket, times) =>
      socket.end(
        Buffer.concat([
          response(
            [`Content-Length: ${body.length}`, `ETag: ${etag}`],
            times === 1 ? body.subarray(0, 1000) : body,
          ),
        ]),
      ),
    );
    const facts = assertMade(await fetchTo(t, { url: web.origin }), body);
    assert.equal(web.count(), 2);
    assert.ok(!JSON.stringify(facts).includes("\u00f1"));
  }
});
