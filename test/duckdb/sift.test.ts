// Telling the rows of a CSV apart without reading their values: what DuckDB would refuse is set aside, and what is left it reads to the last row.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { parse } from "csv-parse/sync";
import fc from "fast-check";
import { query } from "../../src/duckdb/query.js";
import { quotePath } from "../../src/duckdb/session.js";
import { linesOfRows, type Sifted, siftCsv } from "../../src/duckdb/sift-csv.js";
import { RowScanner, type RowShape, type RowSpan } from "../../src/duckdb/sift-scan.js";
import { type DataFiles, dataFiles } from "../rig/data-files.js";
import { holds } from "../rig/property.js";
import { must } from "../rig/world.js";

let files: DataFiles;
before(async () => {
  files = await dataFiles();
});
after(() => files.close());

const shapeOf = (columns: number): RowShape => ({
  delimiter: ",",
  quote: '"',
  skippedLines: 0,
  hasHeader: true,
  columns,
});

const names = ["x", "y", "z"];

/** What DuckDB, in strict mode, makes of a file: its number of rows, or nothing. */
async function strictly(path: string, columns: number): Promise<number | undefined> {
  const types = names.slice(0, columns).map((name) => `${name}: 'VARCHAR'`);
  const from =
    `read_csv(${quotePath(path)}, auto_detect = false, header = true, delim = ',', quote = '"', escape = '"', ` +
    `nullstr = [''], strict_mode = true, columns = {${types.join(", ")}})`;
  const answer = await query<{ rows: bigint }>(
    files.session,
    `SELECT count(*) AS rows, count(COLUMNS(*)) FROM ${from}`,
  );
  return answer.ok ? Number(answer.rows[0]!.rows) : undefined;
}

/** Pieces of CSV in any order: rows right and wrong, quotes open and closed. */
const scraps = fc
  .array(fc.constantFrom("a", "b", ",", ",", ",", '"', '"', '""', "\n", "\n", "é"), { maxLength: 16 })
  .map((pieces) => pieces.join(""));

const file = fc.record({
  columns: fc.integer({ min: 1, max: 3 }),
  body: scraps,
  eol: fc.constantFrom("\n", "\r\n"),
});

const textOf = ({ columns, body, eol }: { columns: number; body: string; eol: string }): string =>
  `${names.slice(0, columns).join(",")}\n${Array(columns).fill("1").join(",")}\n${body}`.replaceAll(
    "\n",
    eol,
  );

test("DuckDB reads every row that is left, and refuses no file that nothing is set aside of", async () => {
  let [sifted, whole, refused] = [0, 0, 0];
  await holds(
    fc.asyncProperty(file, async (drawn) => {
      const { columns } = drawn;
      const path = files.write("scraps.csv", textOf(drawn));
      const found = await siftCsv(files.session, {
        file: path,
        path,
        shape: shapeOf(columns),
        maxRejects: 100,
      });
      const read = await strictly(path, columns);
      if (!found.ok) {
        refused++;
        assert.equal(read, undefined);
        return;
      }
      assert.equal(await strictly(found.value.path, columns), found.value.rows);
      if (found.value.rejects.length === 0) whole++;
      else sifted++;
      // DuckDB takes empty fields too many for stray delimiters.
      const isStray = found.value.rejects.every(({ value }) => /,("")?$/.test(value ?? ""));
      if (found.value.rejects.length > 0 && !isStray) assert.equal(read, undefined);
    }),
    400,
  );
  assert(Math.min(sifted, whole, refused) > 20, `${sifted}, ${whole}, ${refused}`);
});

const spansOf = (text: Buffer, columns: number, sizes: readonly number[]) => {
  const spans: RowSpan[] = [];
  const scanner = new RowScanner(shapeOf(columns), { every: (span) => spans.push(span) });
  for (let at = 0, n = 0; at < text.length; n++) {
    const size = sizes[n % sizes.length]!;
    scanner.scan(text.subarray(at, at + size));
    at += size;
  }
  return { open: scanner.end(), spans, rows: scanner.rows };
};

test("rows are the same in whatever pieces the file arrives", async () => {
  await holds(
    fc.asyncProperty(
      file,
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1 }),
      async (drawn, sizes) => {
        const text = Buffer.from(`\uFEFF${textOf(drawn)}`);
        const { columns } = drawn;
        assert.deepEqual(spansOf(text, columns, sizes), spansOf(text, columns, [text.length]));
      },
    ),
    500,
  );
});

const cell = fc.oneof(
  fc.constantFrom("", "a", "é", "12"),
  fc.stringMatching(/^[ab,\n"\r]{0,5}$/).map((value) => `"${value.replaceAll('"', '""')}"`),
);

test("csv-parse sees the same rows, of as many fields, on the same lines", async () => {
  const rows = fc.array(fc.array(cell, { minLength: 1, maxLength: 4 }), { maxLength: 8 });
  await holds(
    fc.asyncProperty(rows, fc.constantFrom("\n", "\r\n"), async (drawn, eol) => {
      const shown = drawn.filter((fields) => fields.length > 1 || fields[0] !== "");
      const text = ["x,y", ...shown.map((fields) => fields.join(","))].join(eol);
      const { spans } = spansOf(Buffer.from(text), 2, [7]);
      const records: string[][] = parse(text, { relax_column_count: true, record_delimiter: [eol] });
      assert.deepEqual(
        spans.map(({ fields }) => fields),
        records.slice(1).map((fields) => fields.length),
      );
      let line = 2;
      const lines = shown.map((fields) => {
        const at = line;
        line += (fields.join(",").match(/\r\n|\n|\r/g)?.length ?? 0) + 1;
        return at;
      });
      assert.deepEqual(
        spans.map((span) => span.line),
        lines,
      );
    }),
    500,
  );
});

async function sift(text: string, columns = 2, maxRejects = 10): Promise<Sifted> {
  const path = files.write("sift.csv", text);
  return must(await siftCsv(files.session, { file: path, path, shape: shapeOf(columns), maxRejects }));
}

test("a file without a fault is read as it is; from another the faulty rows are gone, byte by byte", async () => {
  const whole = await sift('x,y\r\n1,"2\r\n3"\r\n');
  assert.deepEqual([whole.path.endsWith("sift.csv"), whole.rejects, whole.rows], [true, [], 1]);
  const { path, rows } = await sift('\uFEFFx,y\r\n1\r\n\r\n1,"2\r\n3"\r\n4,"5\r\n6",7\r\n8,9');
  assert.equal(readFileSync(path, "utf8"), '\uFEFFx,y\r\n\r\n1,"2\r\n3"\r\n8,9');
  assert.equal(rows, 2);
});

test("lines of what is left are told as in the file", async () => {
  const text = 'x,y\n1\n2,"a\nb"\n3,"a\nb",c\n4,5\n6\n7\n8,9\n';
  const { path, lineInFile } = await sift(text);
  const found = [
    { row: 1, index: 1, text: "a\nb" },
    { row: 2, index: 0, text: "4" },
    { row: 3, index: 1, text: "9" },
  ];
  const lines = await linesOfRows(path, shapeOf(2), found);
  assert.deepEqual(
    lines.map((line) => lineInFile(line!)),
    [3, 7, 10],
  );
});

test("a line is not told where the row there holds another text", async () => {
  const { path } = await sift("x,y\n1,2\n3,4\n");
  const found = [
    { row: 1, index: 1, text: "4" },
    { row: 2, index: 1, text: "4" },
    { row: 9, index: 1, text: "4" },
  ];
  assert.deepEqual(await linesOfRows(path, shapeOf(2), found), [undefined, 3, undefined]);
});

test("a faulty row as large as several reads goes as a whole, and is shown from its beginning", async () => {
  const long = "z".repeat(3_000_000);
  const { path, rejects, rows } = await sift(`x,y\n1,2\n3,4,${long}\n5,6\n`);
  assert.equal(readFileSync(path, "utf8"), "x,y\n1,2\n5,6\n");
  assert.equal(rows, 2);
  assert.deepEqual(rejects, [
    { line: 3, value: `3,4,${"z".repeat(196)}…`, reason: "it has 3 fields where the first row has 2" },
  ]);
});

test("a copy that cannot be written is a failure", async () => {
  const path = files.write("full.csv", "x,y\n1\n");
  const session = { ...files.session, folder: join(files.folder, "none") };
  const sifting = { file: path, path, shape: shapeOf(2), maxRejects: 1 };
  assert.deepEqual(await siftCsv(session, sifting), {
    ok: false,
    error: { reason: "io", doing: "unpack", path, code: "ENOENT" },
  });
});

test("blank lines are rows only where there is one column", async () => {
  assert.equal((await sift("x,y\n\n1,2\n\n\n3,4\n\n", 2)).rows, 2);
  assert.equal((await sift("x\n\n1\n\n", 1)).rows, 3);
});

test("blanks around quotes are no part of a value", async () => {
  const text = 'x,y\n1, "2,3" \n "4,5" ,6\n';
  const { rejects, rows, path } = await sift(text);
  assert.deepEqual([rejects, rows], [[], 2]);
  assert.equal(await strictly(path, 2), 2);
});

test("a quote behind two blanks is a letter", async () => {
  const text = 'x,y\n  "a,3\n1,  "2,3"\n4,5\n';
  const { rejects, rows, path } = await sift(text);
  assert.deepEqual([rejects.map(({ value }) => value), rows], [['1,  "2,3"'], 2]);
  assert.equal(await strictly(path, 2), 2);
});

test("two texts in quotes in one field are a fault, whatever is between them", async () => {
  const { rejects, rows } = await sift('x,y\n"x" "y",2\n"x"  "1,5",3\n"p""q" ,4\n');
  assert.deepEqual(
    rejects.map(({ line, reason }) => [line, reason]),
    [
      [2, "text follows a closing quote"],
      [3, "text follows a closing quote"],
    ],
  );
  assert.equal(rows, 1);
});

test("a carriage return that ends a row where others end in LF is an error, wherever it is: half a value is no row", async () => {
  for (const [text, line] of [
    ["c0,c1\nx\ry,2\n3,4\n", 2],
    ["c0\r,c1\n1,2\n3,4\n", 1],
    ["c0,c1\n1,2\n3,4\r", 3],
    ["c0,c1\n1,2\n\r3,4\n", 3],
  ] as const) {
    const path = files.write("cr.csv", text);
    const found = await siftCsv(files.session, { file: path, path, shape: shapeOf(2), maxRejects: 3 });
    assert(!found.ok && found.error.reason === "bad-row", text);
    assert.equal(found.error.line, line);
    assert.match(found.error.problem, /carriage return stands alone/);
    assert.equal(await strictly(path, 2), undefined);
  }
  assert.equal((await sift("x,y\r1,2\r\r3,4\r")).rows, 2);
  assert.equal((await sift("x,y\r\n1,2\r\n3,4\r")).rows, 2);
});

test("empty fields too many are a fault among the first rows, and pass behind them as they do in DuckDB", async () => {
  const path = files.write("stray.csv", 'x,y\n1,2\n3,4,,\n5,"6" ,\n7,8, \n9,8,""\n7,6,5\n');
  const sifting = { file: path, path, maxRejects: 10 };
  const linesOf = async (strictRows: number) => {
    const found = must(await siftCsv(files.session, { ...sifting, shape: { ...shapeOf(2), strictRows } }));
    assert.equal(await strictly(found.path, 2), found.rows);
    return found.rejects.map(({ line }) => line);
  };
  assert.deepEqual(await linesOf(1), [5, 6, 7]);
  assert.deepEqual(await linesOf(2), [3, 5, 6, 7]);
  assert.deepEqual(await linesOf(9), [3, 4, 5, 6, 7]);
});

test("an interrupted sift ends", async () => {
  const path = files.write("stop.csv", "x,y\n1,2\n");
  const signal = AbortSignal.abort();
  const sifting = { file: path, path, shape: shapeOf(2), maxRejects: 1, signal };
  assert.deepEqual(await siftCsv(files.session, sifting), { ok: false, error: { reason: "interrupted" } });
});
