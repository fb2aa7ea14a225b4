import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { redactText, redactUrl, secretsIn } from "../../src/core/redact.js";

const shown: readonly (readonly [string, string])[] = [
  ["https://example.org/a/b.csv?month=2021-01#top", "https://example.org/a/b.csv?month=2021-01#top"],
  ["https://ann:hunter2@example.org/x", "https://***@example.org/x"],
  ["https://tok_3n@example.org/x", "https://***@example.org/x"],
  ["postgres://ann:p%40ss@db:5432/trips", "postgres://***@db:5432/trips"],
  ["https://ann:p@ss@example.org/x", "https://***@example.org/x"],
  ["https:ann:hunter2@example.org/x", "https:***@example.org/x"],
  ["ht\ntps://ann:hun\tter2@example.org/x", "https://***@example.org/x"],
  ["//ann:hunter2@example.org/x", "//***@example.org/x"],
  ["https://h/x?token=t0k&a=1&access_token=t0k", "https://h/x?token=***&a=1&access_token=***"],
  [
    "https://h/x?API-Key=1&key=2&license_key=3&apikey=4",
    "https://h/x?API-Key=***&key=***&license_key=***&apikey=***",
  ],
  [
    "https://b.s3.amazonaws.com/k?X-Amz-Date=20210101&X-Amz-Credential=AK%2F1&X-Amz-Security-Token=s&X-Amz-Signature=f0",
    "https://b.s3.amazonaws.com/k?X-Amz-Date=20210101&X-Amz-Credential=***&X-Amz-Security-Token=***&X-Amz-Signature=***",
  ],
  [
    "https://a.blob.core.windows.net/c/b?sv=2020&se=2021&sig=zz%3D",
    "https://a.blob.core.windows.net/c/b?sv=2020&se=2021&sig=***",
  ],
  ["https://h/x?password=p;user=ann#access_token=t", "https://h/x?password=***;user=ann#access_token=***"],
  ["https://h/x?to%6ben=escaped&%E0%A4%A=1", "https://h/x?to%6ben=***&%E0%A4%A=1"],
  ["file:///data/ann@home/x.csv", "file:///data/ann@home/x.csv"],
  ["https://h/packages/@scope/x", "https://h/packages/@scope/x"],
  ["https://[::1]:8080/x@y", "https://[::1]:8080/x@y"],
  ["https://h/x?partition_key=3&keyboard=q&token=", "https://h/x?partition_key=3&keyboard=q&token="],
];

for (const [url, expected] of shown)
  test(`${JSON.stringify(url)} is shown without its secrets`, () => assert.equal(redactUrl(url), expected));

test("a password that makes the URL invalid is no less a password", () => {
  for (const password of ["pa/ss", "pa?ss", "pa#ss", "pa\\ss"])
    assert.equal(redactUrl(`https://ann:${password}@example.org/x`), "https://***@example.org/x");
});

test("any text at all can be redacted, twice as well as once", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
  );
  fc.assert(fc.property(text, (url) => assert.equal(redactUrl(redactUrl(url)), redactUrl(url))));
});

test("no password of any letters is ever shown", () => {
  const password = fc
    .string({ minLength: 6, unit: fc.constantFrom(..."abcXYZ019%&=+~!") })
    .map((text) => `Q${text}Q`);
  fc.assert(
    fc.property(password, (secret) => {
      assert.ok(!redactUrl(`https://ann:${secret}@example.org/x`).includes(secret));
      assert.ok(
        !redactUrl(`https://example.org/x?sig=${encodeURIComponent(secret)}`).includes(
          encodeURIComponent(secret),
        ),
      );
    }),
  );
});

test("the secrets of a URL are known as written and as meant", () => {
  const secrets = secretsIn("https://ann:p%40ss@example.org/x?token=a%2Fb&month=2021-01");
  for (const secret of ["p%40ss", "p@ss", "a%2Fb", "a/b"]) assert.ok(secrets.includes(secret), secret);
  assert.ok(!secrets.includes("2021-01"));
  assert.deepEqual(secretsIn("https://example.org/x?month=2021-01"), []);
});

test("a server's words lose the secrets it echoes, and those of URLs in them", () => {
  const text = "denied: Bearer t0k3n for `https://u:p@h/x?sig=abc` (t0k3n-more)";
  assert.equal(
    redactText(text, ["t0k3n", "t0k3n-more", "x"]),
    "denied: Bearer *** for `https://***@h/x?sig=***` (***)",
  );
});
