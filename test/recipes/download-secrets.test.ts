// What a download is given to prove who it is goes to one place only, and is nowhere to be read.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { failureOf, fetchTo } from "../rig/download.js";
import { desk, serve } from "../rig/web.js";

test("what would end a header or a request line is refused before anything is sent", async (t) => {
  const web = await serve(t, (_, response) => response.end("x"));
  const asked: readonly (readonly [url: string, headers: Record<string, string>, told: RegExp])[] = [
    ["/", { "X-Key": "s3cret\r\nHost: evil" }, /`X-Key` has a line end/],
    ["/", { "X-Key": "s3cret\n" }, /`X-Key` has a line end/],
    ["/", { "X-Key": "s3cret\0" }, /`X-Key` has .*control character/],
    ["/", { "X-Key": "s3cret\u20ac" }, /not Latin-1/],
    ["/", { "X-Key: a\r\nHost": "s3cret" }, /is no name of a header/],
    ["/", { "": "s3cret" }, /is no name of a header/],
    ["/a\r\nHost: evil", {}, /line end/],
    ["/a\0", {}, /control character/],
    ["/a\tb", {}, /control character/],
  ];
  for (const [path, headers, told] of asked) {
    const got = await fetchTo(t, { url: `${web.origin}${path}`, recipe: { headers } });
    assert.match(failureOf(got, "unsupported-url").problem ?? "", told);
    assert.ok(!JSON.stringify([got.result, got.logged]).includes("s3cret"));
  }
  assert.equal(web.requests.length, 0);
});

test("a server that repeats what it was sent, in whatever it says, tells no secret", async (t) => {
  const secrets = [
    "t0ken value",
    "pa55/word",
    "c00kie-value",
    "k3y-value",
    Buffer.from("ann:pa55/word").toString("base64"),
  ];
  const shapes = [
    ...secrets,
    ...secrets.map(encodeURIComponent),
    secrets[0]!.replace(" ", "+"),
    "a&amp;b&lt;c&quot;",
    'a&b<c\\"',
  ];
  const web = await serve(t, (request, response) => {
    const { headers, url = "" } = request;
    const echo = `${url} ${JSON.stringify(headers)} ${shapes.join(" ")}`;
    const safe = encodeURIComponent(`${url} ${JSON.stringify(headers)} ${secrets.join(" ")}`).replaceAll(
      "'",
      "",
    );
    if (url.startsWith("/page")) response.writeHead(404).end(echo);
    else if (url.startsWith("/cut")) response.writeHead(404).end(`${"x".repeat(505)}${secrets[3]}`);
    else if (url.startsWith("/data")) response.end(`<!doctype html><html>${echo}`);
    else if (url.startsWith("/tag"))
      response.writeHead(200, { etag: `"${secrets[3]}"`, "last-modified": secrets[2]! }).end("a");
    else if (url.startsWith("/away"))
      response.writeHead(302, { location: `ftp://x/${secrets[3]}?a=${safe}` }).end();
    else if (url.startsWith("/hop"))
      response.writeHead(302, { location: `/page/${secrets[3]}?a=${safe}` }).end();
    else response.writeHead(503, { "retry-after": secrets[3]! }).end(echo);
  });
  const home = web.origin.replace("//", "//ann:pa55%2Fword@");
  for (const path of ["page", "cut", "data", "tag", "away", "hop", "busy"]) {
    const headers = { Cookie: "sid=c00kie-value; theme=dark", "X-Key": "k3y-value", "X-Odd": 'a&b<c"' };
    const got = await fetchTo(t, {
      url: `${home}/${path}?token=t0ken%20value`,
      recipe: { headers, retries: 1 },
    });
    const told = JSON.stringify([got.result, got.logged, got.progress]);
    for (const shape of shapes) assert.ok(!told.includes(shape), `${path} tells ${shape}: ${told}`);
    // Not even the first letters of one, where the page is cut.
    assert.ok(!/k3y|pa55|t0k/.test(told), told);
  }
});

test("a file that is no regular file is refused at once, whatever reading it would do", {
  skip: !existsSync("/dev/zero"),
}, async (t) => {
  const { directory } = desk(t, { url: "" });
  const pipe = join(directory, "pipe");
  execFileSync("mkfifo", [pipe]);
  for (const path of [pipe, "/dev/zero", "/dev/null"]) {
    const failure = failureOf(await fetchTo(t, { url: pathToFileURL(path).href }), "unsupported-url");
    assert.equal(failure.problem, "it is no regular file");
  }
  failureOf(await fetchTo(t, { url: "file:///tmp/%00x" }), "unsupported-url");
});

test("a file that says it is empty and is not, as some of the kernel's, is never copied", {
  skip: !existsSync("/proc/self/environ"),
}, async (t) => {
  const failure = failureOf(
    await fetchTo(t, { url: "file:///proc/self/environ", name: "x" }),
    "download-incomplete",
  );
  assert.deepEqual([failure.expectedBytes, failure.attempts], [0, 4]);
});
