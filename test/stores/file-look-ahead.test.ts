// Many files looked at in a thread: it answers as whoever asks would, and only for the columns that were read. Told of the compiled module, as threads load it.
import assert from "node:assert/strict";
import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { lookOf, statOf } from "../../src/stores/file-look.js";
import type { lookAhead as LookAhead, looked as Looked } from "../../src/stores/file-look-ahead.js";
import { ColumnsWriter, readColumns, writeColumns } from "../../src/stores/untouched-columns.js";
import { compiled } from "../rig/compiled.js";
import { story } from "./files-rig.js";

/** Enough of them to be worth a thread: chains of a source, a middle that two steps look at, and an end. */
const chains = 2000;
const path = "cache/untouched";
const namesOf = (chain: number) => [`src ${chain}.txt`, `middle-ü-${chain}.txt`, `out${chain}.txt`] as const;
const numberOf = (name: string) =>
  Array.from({ length: chains }, (_, chain) => namesOf(chain))
    .flatMap<string>(([source, middle, out]) => [middle, source, out])
    .indexOf(name);

function write(): number {
  const writer = new ColumnsWriter({ inode: 1n, bytes: 0 });
  for (let chain = 0; chain < chains; chain += 1) {
    const [source, middle, out] = namesOf(chain);
    for (const name of [source, middle, out]) writeFileSync(name, name);
    for (const names of [
      [middle, source],
      [out, middle],
    ]) {
      const looks = names.map((name) => lookOf(statOf(name) ?? assert.fail()));
      writer.add([...names, "1 1", "command", `cp ${names.join(" ")}`].join("\0"), names, looks);
    }
  }
  writeColumns(path, writer.columns());
  return readColumns(path)?.seal ?? assert.fail();
}

type Module = { lookAhead: typeof LookAhead; looked: typeof Looked };

/** All answers, once the thread has given them. */
async function all(answers: Uint8Array, { looked }: Module): Promise<Uint8Array> {
  const until = performance.now() + 20_000;
  while (answers.includes(looked.notYet) && performance.now() < until) await turn();
  return answers;
}

const options = { skip: availableParallelism() < 2 && "one core" };

story(
  "every file is looked at, and told apart from what it was",
  async (project) => {
    const seal = write();
    const touched = [namesOf(0)[0], namesOf(77)[1], namesOf(1999)[2]];
    rmSync(touched[0]!);
    utimesSync(touched[1]!, 1, 1);
    writeFileSync(touched[2]!, "other");
    const module = (await import(await compiled(project, "stores/file-look-ahead"))) as Module;
    const { lookAhead, looked } = module;
    const others = lookAhead(path, seal + 1, 3 * chains);
    const answers = await all(lookAhead(path, seal, 3 * chains), module);
    const expected = new Uint8Array(3 * chains).fill(looked.untouched);
    for (const name of touched) expected[numberOf(name)] = looked.touched;
    assert.deepEqual(answers, expected);
    assert(
      others.every((one) => one === looked.notYet),
      "other columns are at the path than those that were read",
    );
  },
  options,
);

story("where no thread can start nobody has looked", async (project) => {
  const seal = write();
  const url = await compiled(project, "stores/file-look-ahead", "file:///nowhere/thread.mjs");
  const { lookAhead } = (await import(url)) as Module;
  const answers = lookAhead(path, seal, 3 * chains);
  for (let i = 0; i < 20; i += 1) await turn();
  assert(answers.every((one) => one === 0));
});
