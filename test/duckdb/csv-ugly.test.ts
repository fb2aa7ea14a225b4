// What real CSV files are like, made small: each is read right with the options that its kind needs, or refused with the remedy.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { type DataFiles, dataFiles, type Options } from "../rig/data-files.js";

let files: DataFiles;
before(async () => {
  files = await dataFiles();
});
after(() => files.close());

const read = (content: string | Uint8Array, options: Options = {}, name = "file.csv") =>
  files.read(name, content, options);
const refuse = (content: string | Uint8Array, options: Options = {}, name = "file.csv") =>
  files.refuse(name, content, options);

const twoRows = [
  ["1", "x"],
  ["2", "y"],
];

test("empty fields too many in every row are no fields, as in the TLC's months of 2013 to 2016", async () => {
  const { types, rows } = await read("a,b \n\r\n1,x,,\r\n2,y,,\r\n");
  assert.deepEqual([Object.keys(types), rows], [["a", "b"], twoRows]);
  assert.deepEqual((await read("a,b\n1,x,\n2,y,\n")).rows, twoRows);
});

test("a field too many that is not empty is refused wherever it is, also as the 30,000th row", async () => {
  assert.deepEqual(await refuse("a,b\n1,x,,\n2,y,z,\n3,z,,\n"), {
    reason: "bad-row",
    line: 3,
    text: "2,y,z,",
    problem: "it has 4 fields, and those beyond the 2 names are not empty",
  });
  const many = "1,x,,\n".repeat(30_000);
  const late = await refuse(`a,b\n${many}2,y,,z\n`);
  assert.deepEqual([late.reason, late.line, late.text], ["bad-row", 30_002, "2,y,,z"]);
  const short = await refuse(`a,b\n${many}2,y\n`);
  assert.deepEqual([short.line, short.problem], [30_002, "it has 2 fields where the others have 4"]);
});

test("rows that all have more values than there are names want all names", async () => {
  const text = "a,b\n1,x,7\n2,y,8\n";
  const problem =
    /3 fields, as all rows have, where there are 2 names.*`csv: \{ header: true, names: \[…\] \}`/;
  assert.match(String((await refuse(text)).problem), problem);
  const { types, rows } = await read(text, { header: true, names: ["a", "b", "c"] });
  assert.deepEqual(types, { a: "BIGINT", b: "VARCHAR", c: "BIGINT" });
  assert.deepEqual(rows[1], ["2", "y", "8"]);
});

test("names that are missing or come twice: the remedy in the message works when it is pasted", async () => {
  for (const header of ["a,,c", "a,b,a", "a,A,column3"]) {
    const failure = await refuse(`${header}\n1,2,3\n`);
    const remedy = /csv: \{ header: true, names: (\[.*\]) \}/.exec(
      String(failure.help ?? failure.problem),
    )![1]!;
    const { types, rows } = await read(`${header}\n1,2,3\n`, {
      header: true,
      names: JSON.parse(remedy),
    });
    assert.deepEqual([Object.keys(types), rows], [JSON.parse(remedy), [["1", "2", "3"]]]);
  }
});

test("names for a file without a header", async () => {
  assert.deepEqual(await read("1,x\n2,y\n", { header: false, names: ["n", "t"] }), {
    types: { n: "BIGINT", t: "VARCHAR" },
    rows: twoRows,
  });
});

test("lines before the header are skipped, whatever quotes and line ends they have", async () => {
  const preamble = 'Report "weekly\r\n"x,y,z,z,z\n\n';
  assert.deepEqual((await read(`${preamble}a,b\n1,x\n2,y\n`, { skip: 3 })).rows, twoRows);
  assert.deepEqual((await read(`\uFEFFfoo\na,b\n1,x\n2,y\n`, { skip: 1 })).rows, twoRows);
  const failure = await refuse(`one\ntwo\na,b\n1,x\n2\n`, { skip: 2 });
  assert.deepEqual([failure.line, failure.text], [5, "2"]);
  assert.equal((await refuse("a\nb\n", { skip: 5 })).reason, "empty-file");
});

test("a quote in skipped lines takes no row with it, nor does a title in quotes that goes on for two lines", async () => {
  assert.deepEqual((await read('x,"unbalanced\na,b\n1,x\n2,y\n', { skip: 1 })).rows, twoRows);
  assert.deepEqual((await read('"title\nsub"\na,b\n1,x\n2,y\n', { skip: 2 })).rows, twoRows);
  assert.deepEqual((await read('"\r\n"title\r\na,b\r\n1,x\r\n2,y\r\n', { skip: 2 })).rows, twoRows);
  assert.deepEqual((await read('it"s\r\ra,b\r1,x\r2,y\r', { skip: 1 })).rows, twoRows);
});

test("names do not say whether the first row is one of data: `header` has to", async () => {
  const failure = await refuse("x,y\n1,2\n", { names: ["a", "b"] });
  assert.deepEqual([failure.reason, failure.option], ["bad-option", "names"]);
  assert.match(String(failure.problem), /header/);
});

test("one blank may stand before a quote; behind two it is a letter, and so are the comma and the `#` behind it", async () => {
  const two = { delimiter: ",", comment: "#" };
  assert.deepEqual((await read('a,b\n "1,5", "x"  \n# c\n2,y\n', two)).rows, [["1,5", "x"], twoRows[1]]);
  assert.deepEqual((await read('a,b\n  "1,x\n# c,d\n2,y"\n', two)).rows, [
    ['  "1', "x"],
    ["2", 'y"'],
  ]);
  const failure = await refuse('a,b\n1,2\n  "x,y",2\n');
  assert.deepEqual([failure.line, failure.problem], [3, "it has 3 fields where the first row has 2"]);
});

test("two texts in quotes with only blanks between them are no value, in any piece of the file", async () => {
  const problem = "text follows a closing quote";
  for (const row of ['"x" "y",2', '"x"   "1,5",3', '5,"a\nb" "c"']) {
    const failure = await refuse(`a,b\n1,"p\nq"\n${row}\n3,4\n`);
    assert.deepEqual([failure.reason, failure.line, failure.problem], ["bad-row", 4, problem]);
  }
  for (const before of [1, 2, 3, 4]) {
    // The file is read in pieces of so many bytes.
    const fill = "z".repeat((1 << 20) - before - 6);
    const failure = await refuse(`a,b\n${fill},1\n"x" "y",2\n`);
    assert.deepEqual([failure.line, failure.problem], [3, problem]);
  }
  assert.deepEqual((await read('a,b\n" ","x"\n"""p"" ""q""", " "\n')).rows, [
    [" ", "x"],
    ['"p" "q"', " "],
  ]);
  assert.deepEqual((await read('a b\n"1" "x"\n"2" "y"\n', { delimiter: " " })).rows, twoRows);
});

test("the line of a wrong quote is that of the file, also behind values of many lines", async () => {
  const tall = '1,"p\n\nq"\n';
  const follows = await refuse(`a,b\n${tall.repeat(300)}2,"x"y\n3,z\n`);
  assert.deepEqual(
    [follows.line, follows.text, follows.problem],
    [902, '2,"x"y', "text follows a closing quote"],
  );
  const open = await refuse(`a,b\n${tall.repeat(300)}2,"x\n3,z\n`);
  assert.deepEqual([open.line, open.problem], [902, "a quote is opened and never closed"]);
});

test("a blank in a field too many is something, and is told with its line", async () => {
  const failure = await refuse("a,b\n1,2,\n3,4, \n5,6,\n");
  assert.deepEqual(
    [failure.reason, failure.line, failure.problem],
    ["bad-row", 3, "it has 3 fields, and those beyond the 2 names are not empty"],
  );
});

test("a text for no value that holds the delimiter or the quote is refused by name", async () => {
  for (const options of [{ nulls: [","] }, { nulls: ["n/a", 'a"'] }, { delimiter: ";", nulls: ["-;"] }]) {
    const failure = await refuse("a,b\n1,2\n", options);
    assert.deepEqual([failure.reason, failure.option], ["bad-option", "nulls"]);
  }
  assert.deepEqual((await read('a,b\n1,"\n2,y\n', { quote: "", nulls: ['"'] })).rows, [
    ["1", null],
    twoRows[1],
  ]);
});

test("a bad value and a bad row behind skipped lines and comments are told by their line in the file", async () => {
  const many = "1,x\n".repeat(25_000);
  for (const skipped of ["", "# c\n", "# c\n\n#\n"]) {
    const before = `one\ntwo\n${skipped}`.split("\n").length - 1;
    const options = { skip: 2, comment: "#" };
    const value = await refuse(`one\ntwo\n${skipped}a,b\n${many}# late\nz,y\n`, options);
    assert.deepEqual([value.reason, value.line, value.text], ["bad-value", before + 25_003, "z"]);
    const row = await refuse(`one\ntwo\n${skipped}a,b\n${many}# late\n5\n`, options);
    assert.deepEqual([row.reason, row.line, row.text], ["bad-row", before + 25_003, "5"]);
  }
});

test("a comment is a whole line, and never a part of one, or inside quotes", async () => {
  const text = '# made by x\na,b\n# "1,x\n1,x #1\n2,"y\n#z"\n#end';
  assert.deepEqual((await read(text, { comment: "#" })).rows, [
    ["1", "x #1"],
    ["2", "y\n#z"],
  ]);
  for (const end of ["\r\n", "\r"])
    assert.deepEqual(
      (await read(["#c", "a,b", "1,x", "#", "2,y"].join(end), { comment: "#" })).rows,
      twoRows,
    );
  assert.deepEqual((await read("#c\nv\n1\n# no row\n2\n", { comment: "#" })).rows, [["1"], ["2"]]);
  assert.deepEqual((await read("\uFEFF#c\na,b\n1,x\n2,y\n", { comment: "#" })).rows, twoRows);
});

test("numbers in groups of three", async () => {
  const text = 'v,w\n"1,234.5",x\n12.25,x\n"-1,234,567",x\n,x\n';
  const { types, rows } = await read(text, { thousands: "," });
  assert.equal(types.v, "DOUBLE");
  assert.deepEqual(
    rows.map(([v]) => v),
    ["1234.5", "12.25", "-1234567.0", null],
  );
  assert.equal((await read(text)).types.v, "VARCHAR");
  assert.deepEqual((await read("v;w\n1.234;x\n567;x\n", { thousands: ".", decimal: "," })).types.v, "BIGINT");
  assert.deepEqual(
    (await read("v;w\n1'234'567;x\n", { thousands: "'", columns: { v: "DECIMAL(12,2)" } })).rows,
    [["1234567.00", "x"]],
  );
});

test("what is no group of three is no number", async () => {
  for (const value of ["12,34", "1,2345", "1234,567", ",123", "1,,234", "1.234,5"]) {
    const text = `v;w\n${value};x\n`;
    assert.equal((await read(text, { thousands: "," })).types.v, "VARCHAR", value);
    const failure = await refuse(text, { thousands: ",", columns: { v: "DOUBLE" } });
    assert.deepEqual([failure.reason, failure.line, failure.text], ["bad-value", 2, value]);
  }
});

test("a comma as the point: then a point is none", async () => {
  const text = "v;w\n1,5;x\n-2,25;x\n3;x\n";
  const { types, rows } = await read(text, { decimal: "," });
  assert.equal(types.v, "DOUBLE");
  assert.deepEqual(
    rows.map(([v]) => v),
    ["1.5", "-2.25", "3.0"],
  );
  assert.equal((await read("v;w\n1.5;x\n", { decimal: "," })).types.v, "VARCHAR");
  const many = "1,5;x\n".repeat(25_000);
  const late = await refuse(`v;w\n${many}1.5;x\n`, { decimal: "," });
  assert.deepEqual([late.reason, late.line, late.text], ["bad-value", 25_002, "1.5"]);
});

test("options that cannot be meant are refused by name", async () => {
  const bad: Record<string, unknown> = {
    delimiter: ",,",
    quote: "ab",
    header: "yes",
    nulls: "NA",
    encoding: "ascii",
    dateFormat: "dd/mm",
    skip: -1,
    comment: "//",
    names: ["a", "A"],
    thousands: "0",
    decimal: ";",
    sep: ";",
  };
  for (const [option, value] of Object.entries(bad)) {
    const failure = await refuse("a,b\n1,2\n", { [option]: value } as Options);
    assert.deepEqual([failure.reason, failure.option], ["bad-option", option]);
  }
  assert.equal((await refuse("a,b\n", { thousands: "." })).option, "thousands");
  assert.equal((await refuse("a,b\n", { comment: '"' })).option, "comment");
});

test("columns are renamed before types are declared; names that are not there are passed over", async () => {
  const rename = { "Trip type": "trip", b: "a", a: "b", constructor: "x", Gone: "y" };
  const { types } = await read("a,b, Trip type \n1,x,2\n", { rename, columns: { trip: "DOUBLE" } });
  assert.deepEqual(types, { b: "BIGINT", a: "VARCHAR", trip: "DOUBLE" });
  const failure = await refuse("a,b\n1,x\n", { rename: { a: "B" } });
  assert.deepEqual([failure.reason, failure.column], ["duplicate-column", "b"]);
});

test("a column without a value in the sample says that its type says nothing", async () => {
  const source = await files.open("u.csv", "a,b,c,d\n1,,,\n2,,,\n", { columns: { c: "DATE" }, nulls: ["x"] });
  assert.ok(source.ok);
  assert.deepEqual(
    source.value.columns.map(({ name, type, unseen }) => [name, type, unseen]),
    [
      ["a", "BIGINT", undefined],
      ["b", "VARCHAR", true],
      ["c", "DATE", undefined],
      ["d", "VARCHAR", true],
    ],
  );
  const header = await files.open("h.csv", "a,b\n");
  assert.ok(header.ok && header.value.columns.every(({ unseen }) => unseen));
});

test("a field of 10 MB, with line ends in it or without", async () => {
  for (const field of ["x".repeat(10_000_000), `"${"123456789\n".repeat(1_000_000)}"`]) {
    const { rows } = await read(`a,b\n1,${field}\n2,y\n`);
    assert.deepEqual(
      rows.map(([a, b]) => [a, b!.length]),
      [
        ["1", 10_000_000],
        ["2", 1],
      ],
    );
  }
});

test("lines about as long as a piece that is read at once, and a first quote behind a million rows", async () => {
  for (const length of [1_990_000, 2_000_001, 2_100_000]) {
    const { rows } = await read(`a,b\n${`1,${"x".repeat(length)}\n`.repeat(5)}`);
    assert.deepEqual(
      rows.map(([a, b]) => [a, b!.length]),
      Array.from({ length: 5 }, () => ["1", length]),
    );
  }
  const { rows } = await read(`a,b\n${"1,y\n".repeat(1_000_000)}2,"${"123456789\n".repeat(300_000)}"\n3,z\n`);
  assert.equal(rows.length, 1_000_002);
  assert.deepEqual([rows.at(-2)![0], rows.at(-2)![1]!.length, rows.at(-1)], ["2", 3_000_000, ["3", "z"]]);
});

test("a row of 60 MB is read, one of more than 128 MB is refused by its size", async () => {
  const { rows } = await read(
    Buffer.concat([Buffer.from("a,b\n1,"), Buffer.alloc(60_000_000, "x"), Buffer.from("\n2,y\n")]),
  );
  assert.deepEqual([rows[0]![1]!.length, rows[1]], [60_000_000, ["2", "y"]]);
  const failure = await refuse(Buffer.concat([Buffer.from("a,b\n1,"), Buffer.alloc(130_000_000, "x")]));
  assert.deepEqual([failure.line, failure.problem], [2, "it is longer than 128 MB"]);
});

test("a last row that is cut is refused with its line", async () => {
  for (const [text, problem] of [
    ["a,b,c\n1,2,3\n4,5", "it has 2 fields where the first row has 3"],
    ["a,b,c\n\r\n1,2,3,,\r\n4,5", "it has 2 fields where the others have 5"],
  ] as const) {
    const failure = await refuse(text);
    assert.deepEqual([failure.reason, failure.text], ["bad-row", "4,5"]);
    if (!text.includes(",,")) assert.equal(failure.problem, problem);
  }
  assert.equal((await refuse('a,b\n1,2\n4,"5')).line, 3);
});

test("half a CRLF at the end of a file of mixed line ends is a line end", async () => {
  assert.deepEqual((await read("a,b\r\n1,x\n2,y\r")).rows, twoRows);
  assert.deepEqual((await read("a,b\r1,x\r#\r2,y\r", { comment: "#" })).rows, twoRows);
});

test("a carriage return alone among line feeds is refused: it may be data", async () => {
  const failure = await refuse("a,b\n1,x\r2,y\n3,z\n");
  assert.deepEqual([failure.reason, failure.line], ["bad-row", 2]);
  assert.match(String(failure.problem), /carriage return stands alone/);
});

test("gzip: members to the last, padding, and what else is behind them", async () => {
  const [one, two] = [gzipSync("a,b\n1,x\n"), gzipSync("2,y\n")];
  const name = "file.csv.gz";
  assert.deepEqual((await read(Buffer.concat([one, two, Buffer.alloc(512)]), {}, name)).rows, twoRows);
  const others = {
    "a member behind padding": [one, Buffer.alloc(512), two],
    garbage: [one, Buffer.from("garbage")],
    "a cut member": [one, two.subarray(0, -1)],
    "one byte of a member": [one, two.subarray(0, 1)],
  };
  for (const [what, parts] of Object.entries(others))
    assert.equal((await refuse(Buffer.concat(parts), {}, name)).reason, "not-that-format", what);
});

/** `a,b\n1,x\n` and `2,y\n` as `zstd` packs them, with a checksum each. */
const frames = ["KLUv/QRYQQAAYSxiCjEseApmAzAf", "KLUv/QRYIQAAMix5CvpY7Lk="].map((text) =>
  Buffer.from(text, "base64"),
);

test("zstd: every frame, every checksum, to the end, also on Node 20", async () => {
  const [one, two] = frames as [Buffer, Buffer];
  const name = "file.csv.zst";
  assert.deepEqual((await read(Buffer.concat([one, two]), {}, name)).rows, twoRows);
  assert.deepEqual((await read(one, {}, name)).rows, [["1", "x"]]);
  const flipped = Buffer.from(one);
  flipped[flipped.length - 1]! ^= 1;
  const others = {
    "a wrong checksum": [flipped],
    "a cut frame": [one, two.subarray(0, -5)],
    "a frame without its checksum": [one.subarray(0, -2)],
    garbage: [one, Buffer.from("garbage and more of it")],
  };
  for (const [what, parts] of Object.entries(others))
    assert.equal((await refuse(Buffer.concat(parts), {}, name)).reason, "not-that-format", what);
  assert.equal((await refuse(one, {}, "file.json.zst")).reason, "bad-row");
});

test("UTF-16 packed, and a byte that no UTF-16 has", async () => {
  const text = gzipSync(Buffer.from("\uFEFFa;b\r\n1;x\r\n2;y", "utf16le"));
  assert.deepEqual((await read(text, {}, "file.csv.gz")).rows, twoRows);
  const broken = Buffer.concat([Buffer.from("\uFEFFa,b\n1,x\n", "utf16le"), Buffer.from([0x00, 0xd8])]);
  assert.match(String((await refuse(broken)).problem), /no UTF-16/);
});
