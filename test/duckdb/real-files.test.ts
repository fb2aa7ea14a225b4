// Every file of other people that lies beside the checkout is read as test/data/real-files.tsv says, or refused for that reason at that line.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";
import { openSession, type Session } from "../../src/duckdb/session.js";
import { outcomeOf, type RealOptions, type RealOutcome, realFiles, realFolder } from "../rig/real-files.js";

const folder = realFolder();
const skip = folder === undefined && "there is no folder of real files: name one in DMAKE_REAL_DATA";

interface Expected {
  readonly file: string;
  /** `but last line`: the bytes up to the last line feed. */
  readonly part: string;
  readonly options: RealOptions;
  readonly outcome: string;
}

const table: readonly Expected[] = readFileSync(join(import.meta.dirname, "../data/real-files.tsv"), "utf8")
  .trimEnd()
  .split("\n")
  .slice(1)
  .map((line) => {
    const [file, part, options, outcome] = line.split("\t");
    return { file: file!, part: part!, options: JSON.parse(options || "{}"), outcome: outcome! };
  });

const own = mkdtempSync(join(tmpdir(), "dmake-real-"));
let session: Session;
before(async () => {
  session = await openSession({ root: own, threads: 2 });
});
after(() => {
  session.close();
  rmSync(own, { recursive: true });
});

test("the table and the folder name the same files", { skip }, () => {
  assert.deepEqual([...new Set(table.map(({ file }) => file))].sort(), realFiles(folder!));
});

for (const group of new Set(table.map(({ file }) => file.split("/").slice(0, 2).join("/"))))
  test(`${group}: each file is read exactly, or refused where it is wrong`, { skip }, async () => {
    for (const expected of table.filter(({ file }) => file.startsWith(`${group}/`) || file === group))
      assert.equal(await found(expected), expected.outcome, `${expected.file}, ${expected.part}`);
  });

async function found({ file, part, options }: Expected): Promise<string> {
  const path = part === "whole" ? join(folder!, file) : butLastLine(file);
  return textOf(await outcomeOf(session, path, options));
}

function butLastLine(file: string): string {
  const bytes = readFileSync(join(folder!, file));
  const path = join(own, basename(file));
  writeFileSync(path, bytes.subarray(0, bytes.lastIndexOf(10) + 1));
  return path;
}

function textOf(outcome: RealOutcome): string {
  if (outcome.kind === "read") return `read ${outcome.rows} x ${outcome.columns} ${outcome.checksum}`;
  const { reason, line, column } = outcome;
  return [
    reason,
    ...(line === undefined ? [] : [`line ${line}`]),
    ...(column === undefined ? [] : [`column ${column}`]),
  ].join(", ");
}
