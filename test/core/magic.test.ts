import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { contradiction, type Magic, magicOf, promisedBy } from "../../src/core/magic.js";

const broken = new URL("../data/broken/", import.meta.url);
const bytes = (text: string): Uint8Array => Buffer.from(text);

const noise = Buffer.concat(
  Array.from({ length: 64 }, (_, i) => createHash("sha512").update(String(i)).digest()),
);

const known: readonly (readonly [string, Uint8Array, Magic])[] = [
  ["nothing", bytes(""), "empty"],
  ["a parquet file", bytes("PAR1\x15\x04\x15"), "parquet"],
  ["a parquet file with an encrypted footer", bytes("PARE\x15\x04\x15"), "parquet"],
  ["gzip", gzipSync("a,b\n"), "gzip"],
  ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x04]), "zstd"],
  ["zip", bytes("PK\x03\x04\x14"), "zip"],
  ["an empty zip", bytes("PK\x05\x06\0\0"), "zip"],
  ["pdf", bytes("%PDF-1.7\n"), "pdf"],
  ["a web page", bytes("<!DOCTYPE html><html>"), "html"],
  ["a web page after a BOM, a line and a comment", bytes("\uFEFF\n<!-- cdn -->\n<HTML lang=en>"), "html"],
  [
    "a web page in XML",
    bytes('<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0">'),
    "html",
  ],
  ["an error of an object store", bytes('<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>'), "xml"],
  ["an error of an object store without prolog", bytes("<Error>\n <Code>NoSuchKey</Code></Error>"), "xml"],
  ["an error of an API", bytes('{"error": "not found"}'), "json"],
  ["an array of objects", bytes('[\n {"a": 1}]'), "json"],
  [
    "a Git LFS pointer",
    bytes("version https://git-lfs.github.com/spec/v1\noid sha256:25\nsize 2439\n"),
    "git-lfs pointer",
  ],
  ["a CSV", bytes("VendorID,fare\n1,2.5\n"), "text"],
  ["a CSV of quoted names", bytes('"a","b"\r\n'), "text"],
  ["a CSV of an exchange", bytes("<TICKER>,<DATE>\nSBER,20210101\n"), "text"],
  ["the same with tabs", bytes("<TICKER>\t<DATE>\nSBER\t20210101\n"), "text"],
  ["a CSV whose first value is a list", bytes("[1],x\n[2],y\n"), "text"],
  ["a CSV in Latin-1", Buffer.from("ville,d\xe9partement\n", "latin1"), "text"],
  ["a CSV in UTF-16 with a mark", Buffer.from("\uFEFFa,b\n1,2\n", "utf16le"), "text"],
  ["a CSV in big-endian UTF-16", Buffer.from("\uFEFFa,b\n1,2\n", "utf16le").swap16(), "text"],
  ["a CSV in UTF-16 without a mark", Buffer.from("alpha,beta\n1,2\n", "utf16le"), "text"],
  ["a web page in UTF-16", Buffer.from("\uFEFF<html><head>", "utf16le"), "html"],
  ["a CSV with one NUL", bytes(`a,b\n${"1,2\n".repeat(20)}x\0,y\n`), "text"],
  ["random bytes", noise, "binary"],
];

for (const [what, head, expected] of known)
  test(`${what} is ${expected}`, () => assert.equal(magicOf(head), expected));

test("a name promises by its extensions, outermost first", () => {
  assert.deepEqual(promisedBy("data/yellow_2021-01.csv.gz"), ["gzip", "csv"]);
  assert.deepEqual(promisedBy("data/a.PARQUET"), ["parquet"]);
  assert.deepEqual(promisedBy("a.csv.zst"), ["zstd", "csv"]);
  assert.deepEqual(promisedBy("data.csv/readme"), []);
  assert.deepEqual(promisedBy("v1.2/x.dat"), []);
  assert.deepEqual(promisedBy("report.2021.csv"), ["csv"]);
});

test("the error page that a downloader once saved as a month of trips is found out", () => {
  const page = readFileSync(new URL("access-denied.parquet", broken));
  assert.deepEqual(contradiction("yellow_tripdata_2024-01.parquet", page), {
    expected: "parquet",
    found: "xml",
  });
  assert.deepEqual(contradiction("x.csv", page), { expected: "csv", found: "xml" });
  assert.equal(contradiction("x.xml", page), undefined);
});

test("the Git LFS pointer that a repository holds in place of a CSV is found out", () => {
  const pointer = readFileSync(new URL("lfs-pointer.csv", broken));
  for (const [name, expected] of [
    ["a.csv", "csv"],
    ["a.csv.gz", "gzip"],
    ["a.parquet", "parquet"],
    ["a.json", "json"],
  ] as const)
    assert.deepEqual(contradiction(name, pointer), { expected, found: "git-lfs pointer" });
});

test("a parquet file that lost its end is found out where the end is looked at", () => {
  const head = bytes("PAR1\x15\x04");
  assert.equal(contradiction("a.parquet", head, bytes("PAR1")), undefined);
  assert.equal(contradiction("a.parquet", head), undefined);
  assert.deepEqual(contradiction("a.parquet", head, bytes("\x15\x04\0\0")), {
    expected: "parquet",
    found: "parquet without its end",
  });
});

test("gzip is looked through", () => {
  assert.equal(contradiction("a.csv.gz", gzipSync("a,b\n")), undefined);
  assert.equal(contradiction("a.gz", gzipSync("<html>")), undefined);
  assert.deepEqual(contradiction("a.csv.gz", gzipSync("<html>")), { expected: "csv", found: "html" });
  assert.deepEqual(contradiction("a.csv.gz", gzipSync(gzipSync("a,b\n"))), {
    expected: "csv",
    found: "gzip",
  });
  assert.deepEqual(
    contradiction("a.csv.gz", Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 255, 255, 255])),
    { expected: "gzip", found: "damaged gzip" },
  );
  const large = gzipSync(Buffer.from(Array.from({ length: 90_000 }, (_, i) => 48 + (i ** 3 % 10))));
  assert.equal(
    contradiction("a.csv.gz", large.subarray(0, 4096)),
    undefined,
    "the first bytes of gzip are enough",
  );
});

test("an empty file is an empty table, and no parquet, gzip or JSON", () => {
  assert.equal(contradiction("a.csv", bytes("")), undefined);
  for (const name of ["a.parquet", "a.csv.gz", "a.json"])
    assert.equal(contradiction(name, bytes(""))?.found, "empty");
});

test("a CSV that is something else is found out; a name that promises nothing never is", () => {
  for (const head of [
    gzipSync("a"),
    bytes("PK\x03\x04"),
    bytes("PAR1"),
    bytes('{"error": 1}'),
    bytes("<html>"),
  ]) {
    assert.ok(contradiction("a.csv", head));
    assert.equal(contradiction("a", head), undefined);
    assert.equal(contradiction("a.dat", head), undefined);
  }
});
