import assert from "node:assert/strict";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { assertMade, csv, failureOf, fetchTo } from "../rig/download.js";
import { cut, sendFile, serve } from "../rig/web.js";

test("cut anywhere, it goes on from there and every byte is right", async (t) => {
  const body = csv(400_000);
  for (const cutAfter of [0, 1, 7, 65_535, 65_536, 199_999, 399_999]) {
    const web = await serve(t, (request, response, times) =>
      sendFile(request, response, { body, etag: '"v1"', ...(times <= 2 && { cutAfter }) }),
    );
    const got = await fetchTo(t, { url: `${web.origin}/x` });
    assertMade(got, body);
    const ranges = web.requests.map(({ headers }) => headers.range);
    const second = Math.min(2 * cutAfter, body.length - 1);
    const asked =
      cutAfter === 0
        ? [undefined, undefined, undefined]
        : [undefined, `bytes=${cutAfter}-`, `bytes=${second}-`];
    assert.deepEqual(ranges, asked.slice(0, ranges.length), `cut after ${cutAfter}`);
    if (cutAfter > 0) assert.equal(web.requests[1]?.headers["if-range"], '"v1"');
  }
});

test("a server that goes on sending is never given up, one that sends nothing new is", async (t) => {
  const body = csv(4_500_000);
  const slow = await serve(t, (request, response) =>
    sendFile(request, response, { body, etag: '"v1"', cutAfter: 1_100_000 }),
  );
  assertMade(await fetchTo(t, { url: slow.origin, recipe: { retries: 1 } }), body);
  const stuck = await serve(t, (request, response, times) =>
    sendFile(request, response, { body, etag: '"v1"', cutAfter: times === 1 ? 1000 : 0 }),
  );
  const failure = failureOf(
    await fetchTo(t, { url: stuck.origin, recipe: { retries: 2 } }),
    "download-incomplete",
  );
  assert.deepEqual(
    [failure.expectedBytes, failure.receivedBytes, stuck.requests.length],
    [body.length, 1000, 3],
  );
});

test("a file that changes between two tries is never mixed", async (t) => {
  const old = csv(200_000);
  const fresh = Buffer.from(old.toString().replaceAll("5", "8"));
  const versions: Record<string, (times: number) => { body: Buffer; etag?: string }> = {
    "told by its ETag": (times) =>
      times === 1 ? { body: old, etag: '"v1"' } : { body: fresh, etag: '"v2"' },
    "without any validator": (times) => ({ body: times === 1 ? old : fresh }),
    "with a weak ETag": (times) => ({ body: times === 1 ? old : fresh, etag: 'W/"same"' }),
  };
  for (const [how, version] of Object.entries(versions)) {
    const web = await serve(t, (request, response, times) =>
      sendFile(request, response, { ...version(times), ...(times === 1 && { cutAfter: 90_000 }) }),
    );
    const got = await fetchTo(t, { url: web.origin });
    assertMade(got, fresh);
    if (how !== "told by its ETag") assert.equal(web.requests[1]?.headers.range, undefined, how);
  }
});

test("a server that answers another range, version, size or encoding than asked for is not believed", async (t) => {
  const old = csv(200_000);
  const fresh = Buffer.from(old.toString().replaceAll("5", "8"));
  const total = fresh.length;
  const lies: Record<string, Record<string, string>> = {
    "another start": { "content-range": `bytes 0-${total - 1}/${total}`, etag: '"v1"' },
    "another size": { "content-range": `bytes 90000-${total}/${total + 1}`, etag: '"v1"' },
    "another version": { "content-range": `bytes 90000-${total - 1}/${total}`, etag: '"v2"' },
    "no version": { "content-range": `bytes 90000-${total - 1}/${total}` },
    "no range": { etag: '"v1"' },
    encoded: {
      "content-range": `bytes 90000-${total - 1}/${total}`,
      etag: '"v1"',
      "content-encoding": "gzip",
    },
  };
  for (const [lie, headers] of Object.entries(lies)) {
    const web = await serve(t, (request, response, times) => {
      if (times === 1) sendFile(request, response, { body: old, etag: '"v1"', cutAfter: 90_000 });
      else if (request.headers.range) response.writeHead(206, headers).end(fresh.subarray(90_000));
      else sendFile(request, response, { body: fresh, etag: '"v2"' });
    });
    assertMade(await fetchTo(t, { url: web.origin }), fresh);
    assert.equal(web.requests.length, 3, lie);
  }
});

test("416 and a server that ignores ranges mean: from the beginning", async (t) => {
  const body = csv(200_000);
  for (const status of [416, 200]) {
    const web = await serve(t, (request, response, times) => {
      if (times === 1) sendFile(request, response, { body, etag: '"v1"', cutAfter: 5000 });
      else if (status === 416 && request.headers.range) response.writeHead(416).end();
      else response.writeHead(200, { etag: '"v1"' }).end(body);
    });
    assertMade(await fetchTo(t, { url: web.origin }), body);
  }
});

test("a date resumes where it is older than the answer, and not where it is of the same second", async (t) => {
  const body = csv(200_000);
  const date = "Tue, 05 Jan 2021 10:00:00 GMT";
  for (const [lastModified, resumes] of [
    ["Tue, 05 Jan 2021 09:59:59 GMT", true],
    [date, false],
  ] as const) {
    const web = await serve(t, (request, response, times) => {
      const headers = { date, "last-modified": lastModified, "content-length": String(body.length) };
      if (times === 1) response.writeHead(200, headers).write(body.subarray(0, 1000), () => cut(response));
      else if (!request.headers.range) response.writeHead(200, headers).end(body);
      else {
        const rest = { "content-length": "199000", "content-range": `bytes 1000-199999/200000` };
        response.writeHead(206, { ...headers, ...rest }).end(body.subarray(1000));
      }
    });
    assertMade(await fetchTo(t, { url: web.origin }), body);
    assert.equal(web.requests[1]?.headers["if-range"], resumes ? lastModified : undefined);
  }
});

test("a Content-Length that promises more than comes is noticed", async (t) => {
  const body = csv(1000);
  const web = await serve(t, (_, response) => {
    response.writeHead(200, { "content-length": 2000 }).write(body, () => cut(response));
  });
  const failure = failureOf(await fetchTo(t, { url: web.origin }), "download-incomplete");
  assert.deepEqual([failure.expectedBytes, failure.receivedBytes, web.requests.length], [2000, 1000, 4]);
});

test("a Content-Length that promises less than comes is noticed", async (t) => {
  const body = csv(1000);
  const server = createServer((socket) => {
    socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n${body}`));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const got = await fetchTo(t, { url, recipe: { retries: 1 } });
  failureOf(got, "download-network");
});

test("a body without a length ends where the server says", async (t) => {
  const body = csv(100_000);
  const web = await serve(t, (_, response, times) => {
    response.write(body.subarray(0, 50_000));
    if (times === 1) setImmediate(() => response.socket?.destroy());
    else response.end(body.subarray(50_000));
  });
  assertMade(await fetchTo(t, { url: web.origin }), body);
  assert.equal(web.requests.length, 2, "a chunked body that is cut is not whole");
});

test("a body that stalls is taken up again", async (t) => {
  const body = csv(50_000);
  const web = await serve(t, (request, response, times) => {
    if (times > 1) return sendFile(request, response, { body, etag: '"v1"' });
    response.writeHead(200, { etag: '"v1"', "content-length": body.length }).write(body.subarray(0, 20_000));
  });
  assertMade(await fetchTo(t, { url: web.origin, recipe: { timeoutMs: 100 } }), body);
  assert.equal(web.requests[1]?.headers.range, "bytes=20000-");
});

test("a packed body that is cut is fetched again from its beginning", async (t) => {
  const table = csv(300_000);
  const sent = gzipSync(table);
  const web = await serve(t, (_, response, times) => {
    response.writeHead(200, { "content-encoding": "gzip", "content-length": sent.length, etag: '"v1"' });
    if (times > 1) response.end(sent);
    else response.write(sent.subarray(0, sent.length / 2), () => cut(response));
  });
  assertMade(await fetchTo(t, { url: web.origin }), table);
  assert.equal(web.requests[1]?.headers.range, undefined);
});
