import assert from "node:assert/strict";
import { test } from "node:test";
import { nextHop } from "../../src/recipes/download-request.js";
import { assertMade, csv, failureOf, fetchTo } from "../rig/download.js";
import { sendFile, serve } from "../rig/web.js";

test("an error page is in the log, without the secrets it echoes", async (t) => {
  const web = await serve(t, (_, response) =>
    response.writeHead(403).end("<Error>\n<Key>s3cret key</Key> denied</Error>"),
  );
  const got = await fetchTo(t, { url: `${web.origin}/x?token=s3cret+key` });
  failureOf(got, "download-status");
  assert.match(got.logged.join(""), /<Key>\*\*\*<\/Key> denied/);
});

test("redirects are followed, relative ones and those across hosts, and secrets stay at home", async (t) => {
  const body = csv(1000);
  const cdn = await serve(t, (request, response) => sendFile(request, response, { body, etag: '"v1"' }));
  const home = await serve(t, (request, response) => {
    if (request.url === "/a?b=1") response.writeHead(302, { location: "c" }).end();
    else response.writeHead(307, { location: `${cdn.origin}/f?X-Amz-Signature=presigned#top` }).end();
  });
  const url = `${home.origin.replace("//", "//ann:p%40ss%zz@")}/a?b=1`;
  const got = await fetchTo(t, {
    url,
    recipe: { headers: { "X-Api-Key": "k3y-value", Range: "bytes=0-1" } },
  });
  assert.equal(assertMade(got, body).url, `${home.origin.replace("//", "//***@")}/a?b=1`);
  const basic = `Basic ${Buffer.from("ann:p@ss%zz").toString("base64")}`;
  for (const { headers } of home.requests)
    assert.deepEqual([headers.authorization, headers["x-api-key"]], [basic, "k3y-value"]);
  const away = cdn.requests[0]!;
  assert.equal(away.url, "/f?X-Amz-Signature=presigned");
  assert.deepEqual(
    [away.headers.authorization, away.headers["x-api-key"], away.headers.range],
    [undefined, undefined, undefined],
  );
  const told = got.logged.join("") + JSON.stringify(got.result);
  for (const secret of ["p%40ss", "p@ss", "k3y-value", "presigned"])
    assert.ok(!told.includes(secret), secret);
});

test("credentials do not come back with a redirect that has been elsewhere", async (t) => {
  const body = csv(100);
  const away = await serve(t, (_, response) =>
    response.writeHead(302, { location: `${home.origin}/back` }).end(),
  );
  const home = await serve(t, (request, response) => {
    if (request.url === "/back") sendFile(request, response, { body });
    else response.writeHead(302, { location: away.origin }).end();
  });
  assertMade(
    await fetchTo(t, { url: `${home.origin}/x`, recipe: { headers: { authorization: "Bearer t0k3n" } } }),
    body,
  );
  assert.deepEqual(
    home.requests.map(({ headers }) => headers.authorization),
    ["Bearer t0k3n", undefined],
  );
});

test("redirects in a circle, or without end, are told as such", async (t) => {
  const circle = await serve(t, (request, response) =>
    response.writeHead(302, { location: request.url === "/a" ? "/b" : "/a" }).end(),
  );
  const around = failureOf(await fetchTo(t, { url: `${circle.origin}/a` }), "download-redirects");
  assert.deepEqual([around.hops, around.backAt], [2, `${circle.origin}/a`]);
  const endless = await serve(t, (_, response, times) =>
    response.writeHead(302, { location: `/${times}` }).end(),
  );
  const followed = failureOf(await fetchTo(t, { url: endless.origin }), "download-redirects");
  assert.deepEqual([followed.hops, followed.backAt], [10, undefined]);
  assert.equal(endless.requests.length, 11);
});

test("a redirect leaves neither encryption nor the web", async (t) => {
  const from = new URL("https://ann:pw@example.org/a");
  const refused = nextHop(from, "http://example.org/a?sig=1");
  assert.deepEqual(!refused.ok && refused.error, {
    reason: "download-redirect-refused",
    url: "https://***@example.org/a",
    to: "http://example.org/a?sig=***",
    problem: "from https to http",
  });
  assert.ok(nextHop(new URL("http://example.org/a"), "https://example.org/a").ok);
  for (const location of ["file:///etc/passwd", "ftp://example.org/x", "http://[", "data:text/csv,a"]) {
    const web = await serve(t, (_, response) => response.writeHead(302, { location }).end());
    failureOf(await fetchTo(t, { url: web.origin }), "download-redirect-refused");
    assert.equal(web.requests.length, 1);
  }
});

test("what is no URL, or of another kind, is refused without its secrets", async (t) => {
  for (const url of [
    "s3://bucket/x",
    "ftp://ann:pw@h/x",
    "data/x.csv",
    "",
    "http://",
    "file://otherhost/x",
    "http://ann:pw@",
  ])
    assert.ok(!failureOf(await fetchTo(t, { url }), "unsupported-url").url.includes("pw"));
});
