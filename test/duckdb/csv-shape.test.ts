// Which CSV files are read, whatever their line ends, delimiters and quotes, and which are refused.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type DataFiles, dataFiles } from "../rig/data-files.js";

let files: DataFiles;
before(async () => {
  files = await dataFiles();
});
after(() => files.close());

const rows = async (content: string | Uint8Array, options = {}, name = "file.csv") =>
  (await files.read(name, content, options)).rows;

const twoRows = [
  ["1", "x"],
  ["2", "y"],
];

test("LF, CRLF, CR, and no line end after the last row", async () => {
  for (const end of ["\n", "\r\n", "\r"]) {
    assert.deepEqual(await rows(["a,b", "1,x", "2,y", ""].join(end)), twoRows);
    assert.deepEqual(await rows(["a,b", "1,x", "2,y"].join(end)), twoRows);
  }
});

test("LF and CRLF mixed in one file", async () => {
  assert.deepEqual(await rows("a,b\r\n1,x\n2,y\r\n"), twoRows);
  assert.deepEqual(await rows('a,b\n1,"x"\r\n2,"y"\n'), twoRows);
  assert.deepEqual(await rows('a,b\n1,"x\r\nx"\r\n2,"y\ny"\n3,"say ""hi"""\r\n'), [
    ["1", "x\r\nx"],
    ["2", "y\ny"],
    ["3", 'say "hi"'],
  ]);
});

test("line ends that change only far down, packed or not, lose no row", async () => {
  const text = `a,b\n${Array.from({ length: 200_000 }, (_, row) => `${row},x${row > 150_000 ? "\r\n" : "\n"}`).join("")}`;
  for (const [name, bytes] of [
    ["late.csv", text],
    ["late.csv.gz", gzipSync(text)],
  ] as const) {
    const all = await rows(bytes, {}, name);
    assert.equal(all.length, 200_000);
    assert.ok(all.every(([a, b], row) => a === String(row) && b === "x"));
  }
});

test("a CRLF file of mixed line ends still names the right line", async () => {
  const failure = await files.refuse("file.csv", 'a,b\r\n\r\n1,"x\ny"\n2,y\r\n3\n');
  assert.deepEqual([failure.reason, failure.line, failure.text], ["bad-row", 6, "3"]);
});

test("blank lines after the header, between rows and at the end are skipped", async () => {
  assert.deepEqual(await rows("a,b\n\r\n1,x\r\n2,y\r\n"), twoRows);
  assert.deepEqual(await rows("\n\na,b\n\n1,x\n\n2,y\n\n\n"), twoRows);
});

test("in a single column a blank line is a row without a value", async () => {
  assert.deepEqual(await rows("a\n1\n\n2\n"), [["1"], [null], ["2"]]);
});

test("a byte order mark is no part of the first name", async () => {
  const { types } = await files.read("bom.csv", "\uFEFFa,b\n1,x\n2,y\n");
  assert.deepEqual(Object.keys(types), ["a", "b"]);
});

test("delimiters are found, or given", async () => {
  for (const delimiter of [";", "|", "\t"])
    assert.deepEqual(await rows(`a,b\n1,x\n2,y\n`.replaceAll(",", delimiter)), twoRows);
  assert.deepEqual(await rows("a~b\n1~x\n2~y\n", { delimiter: "~" }), twoRows);
  assert.deepEqual(await rows("a\tb\n1\tx\n2\ty\n", {}, "file.tsv"), twoRows);
  assert.deepEqual(await rows("a;b\n1,5;x\n2,5;y\n"), [
    ["1,5", "x"],
    ["2,5", "y"],
  ]);
});

test("quotes hold delimiters, line ends and doubled quotes", async () => {
  assert.deepEqual(await rows('a,b\n"1,5","say ""hi"""\n"two\nlines",5" pipe\n'), [
    ["1,5", 'say "hi"'],
    ["two\nlines", '5" pipe'],
  ]);
  assert.deepEqual(await rows("a,b\n'1,5',x\n", { quote: "'" }), [["1,5", "x"]]);
  assert.deepEqual(await rows('a,b\n"1,x\n', { quote: "" }), [['"1', "x"]]);
});

test("names keep their inner spaces and lose the outer ones", async () => {
  const { types } = await files.read("names.csv", 'vendor_id, start station id ,"o\'hara ""x"""\n1,2,3\n');
  assert.deepEqual(types, { vendor_id: "BIGINT", "start station id": "BIGINT", 'o\'hara "x"': "BIGINT" });
});

test("a row with a field too many or too few is refused with its line and text", async () => {
  const expected = (line: number, text: string, problem: string) => ({
    reason: "bad-row",
    line,
    text,
    problem,
  });
  assert.deepEqual(
    await files.refuse("f.csv", "a,b\n1,2\n3\n"),
    expected(3, "3", "it has 1 field where the first row has 2"),
  );
  assert.deepEqual(
    await files.refuse("f.csv", 'a,b\n"x\ny",2\n3,4,5\n'),
    expected(4, "3,4,5", "it has 3 fields where the first row has 2"),
  );
  assert.deepEqual(
    await files.refuse("f.csv", "a,b\n1,2\n3,4,\n"),
    expected(3, "3,4,", "it has 3 fields where the first row has 2"),
  );
  const many = Array.from({ length: 30_000 }, (_, row) => `${row},x\r\n`).join("");
  assert.deepEqual(
    await files.refuse("f.csv", `a,b\r\n${many}1,2,3\r\n4,5\r\n`),
    expected(30_002, "1,2,3", "it has 3 fields where the first row has 2"),
  );
  assert.deepEqual(
    await files.refuse("f.csv", `a,b\r\n${many}1\r\n4,5\r\n`),
    expected(30_002, "1", "it has 1 field where the first row has 2"),
  );
});

test("a quote that is not closed, or is followed by text, is refused", async () => {
  for (const text of ['a,b\n1,"x\n2,y\n', 'a,b\n"1"x,2\n3,4\n']) {
    const failure = await files.refuse("f.csv", text);
    assert.deepEqual([failure.reason, failure.line], ["bad-row", 2]);
  }
  assert.equal((await files.refuse("f.csv", '"a,b\n1,2\n')).reason, "bad-row");
});

test("two columns of one name, and a column without one, are refused", async () => {
  assert.deepEqual(await files.refuse("f.csv", "a,b,a\n1,2,3\n"), {
    reason: "duplicate-column",
    column: "a",
    help: 'give all names with `csv: { header: true, names: ["a", "b", "a_2"] }`',
  });
  const twice = await files.refuse("f.csv", "a,A\n1,2\n");
  assert.deepEqual([twice.reason, twice.column], ["duplicate-column", "A"]);
  assert.equal(
    (await files.refuse("f.csv", "a,,c\n1,2,3\n")).problem,
    'the name of column 2 is empty: give all names with `csv: { header: true, names: ["a", "column2", "c"] }`',
  );
});

test("a first row of values is not taken for a header", async () => {
  const text = "1,x\n2,y\n";
  assert.match(String((await files.refuse("f.csv", text)).problem), /holds `1`, which looks like data/);
  assert.deepEqual(await rows(text, { header: false }), twoRows);
  assert.deepEqual(
    Object.keys((await files.read("f.csv", "id,in 2019,1/22/20\na,1,2\n", { header: true })).types),
    ["id", "in 2019", "1/22/20"],
  );
});

test("a header alone is a table without rows; nothing at all is refused", async () => {
  assert.deepEqual(await files.read("f.csv", "a,b\n", { columns: { b: "DATE" } }), {
    types: { a: "VARCHAR", b: "DATE" },
    rows: [],
  });
  for (const empty of ["", "\n", "\uFEFF", " \r\n"])
    assert.equal((await files.refuse("f.csv", empty)).reason, "empty-file");
  assert.equal((await files.refuse("f.csv.gz", gzipSync(""))).reason, "empty-file");
});

test("what is called CSV but is something else is refused", async () => {
  const lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
  const others = {
    html: "<!DOCTYPE html><p>Not found",
    "git-lfs pointer": lfs,
    gzip: gzipSync("a,b\n1,2\n"),
    parquet: "PAR1....PAR1",
  };
  for (const [found, content] of Object.entries(others))
    assert.deepEqual(await files.refuse("f.csv", content), {
      reason: "not-that-format",
      expected: "csv",
      found,
    });
  const garbage = Uint8Array.from({ length: 5000 }, (_, at) => (at * 7919) % 251);
  assert.equal((await files.refuse("f.csv", garbage)).reason, "not-that-format");
  const prose = "Dear all\nattached, as promised, is the file\nBest, A\n";
  assert.equal((await files.refuse("f.csv", prose)).reason, "bad-row");
  assert.equal((await files.refuse("f.docx", "a,b")).reason, "not-that-format");
});

test("a gzip that is cut short or damaged is refused, where DuckDB would read fewer rows", async () => {
  const packed = gzipSync(`a,b\n${"1,x\n".repeat(1000)}`, { level: 0 });
  assert.deepEqual(await files.refuse("f.csv.gz", packed.subarray(0, -12)), {
    reason: "not-that-format",
    expected: "gzip",
    found: "gzip that ends in the middle",
  });
  const flipped = Buffer.from(packed);
  flipped[2000]! ^= 1;
  assert.equal((await files.refuse("f.csv.gz", flipped)).reason, "not-that-format");
});

test("a gzip of several members is read to its end", async () => {
  assert.deepEqual(
    await rows(Buffer.concat([gzipSync("a,b\n1,x\n"), gzipSync("2,y\n")]), {}, "f.csv.gz"),
    twoRows,
  );
});

test("encodings: declared, marked, and wrong", async () => {
  const text = "a,b\n1,été\n";
  const expected = [["1", "été"]];
  assert.deepEqual(await rows(Buffer.from(text, "latin1"), { encoding: "latin-1" }), expected);
  assert.deepEqual(await rows(Buffer.from(`\uFEFF${text}`, "utf16le")), expected);
  assert.deepEqual(await rows(Buffer.from(`\uFEFF${text}`, "utf16le").swap16()), expected);
  const failure = await files.refuse("f.csv", Buffer.from(`a,b\n1,x\n${text.slice(4)}`, "latin1"));
  assert.deepEqual([failure.reason, failure.line], ["bad-row", 3]);
  assert.match(String(failure.problem), /not UTF-8/);
});

test("no file name is a glob, a URL or SQL", async () => {
  files.write("weird1.csv", "a,b\n7,8\n");
  for (const name of [
    "we[i]rd*.csv",
    "what?.csv",
    'it\'s "x".csv',
    "new\nline.csv",
    "ünï{a,b}.csv",
    "part=1.csv",
    "~x.csv",
    "a\\b.csv",
  ]) {
    const { types, rows } = await files.read(name, "a,b\n1,x\n2,y\n");
    assert.deepEqual([Object.keys(types), rows], [["a", "b"], twoRows], name);
  }
});
