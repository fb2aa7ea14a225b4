// A process that is really killed, at each of its changes of the disk, and the next start: all old or all new, with its record, and nothing left. Told on a real folder.
import assert from "node:assert/strict";
import { cpSync, existsSync, readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Step } from "../../src/core/rule.js";
import { type Folder, inFolder } from "../rig/project.js";
import { must } from "../rig/world.js";
import { open, published } from "./files-rig.js";
import { groups } from "./killed-groups.js";
import { compiled, fill, killedAt } from "./killed-rig.js";

const { signal } = new AbortController();
let killer: Awaited<ReturnType<typeof compiled>>;
before(async () => {
  killer = await compiled();
});
after(() => killer.remove());

async function makes(step: Step, text: string) {
  const store = open();
  const done = must(await published(store, step, (paths) => fill(step, paths, text)));
  await store.close();
  return done;
}

const textsOf = ({ outputs, directories }: Step, project: Folder) =>
  outputs
    .map((name) => (directories.has(name) ? `${name}/part` : name))
    .map((name) => (existsSync(name) ? project.read(name) : undefined));

async function recovers(): Promise<void> {
  const store = open();
  must(await store.recover(signal));
  await store.close();
}

/** All of one make, as its record says, and nothing else beside it. */
async function isWhole(step: Step, project: Folder, when: string): Promise<string | undefined> {
  const texts = new Set(textsOf(step, project));
  assert.equal(texts.size, 1, `half of it ${when}: ${[...texts].join(" and ")}`);
  const store = open();
  const [trace] = must(await store.traces([step]));
  const facts = must(await store.observe(step.outputs));
  for (const [i, fact] of facts.entries())
    assert.equal(
      fact.kind === "present" ? fact.digest : undefined,
      trace?.outputs[i]?.digest,
      `not as recorded ${when}`,
    );
  await store.close();
  const left = (readdirSync(".", { recursive: true }) as string[]).filter(
    (name) => /\.dmake-/.test(name) || /^\.dmake\/(runs\/.|saved)/.test(name),
  );
  assert.deepEqual(left, [], when);
  return [...texts][0];
}

/** Does it with a death at its first change of the disk, its second, and so on, until it lives to the end. */
async function atEveryChange(moment: (project: Folder, n: number) => Promise<boolean>): Promise<number> {
  for (let n = 1; ; n += 1) {
    let survived = false;
    await inFolder(async (project) => {
      survived = await moment(project, n);
    });
    if (survived) return n;
  }
}

for (const [name, step] of Object.entries(groups))
  test(`${name}, killed anywhere while it is published again, is the old one or the new one`, async () => {
    const found = new Set<string | undefined>();
    const points = await atEveryChange(async (project, n) => {
      await makes(step, "one");
      const survived = await killedAt(killer.program, n, name, { does: "publish", text: "two" });
      // Two renames: the only moment at which nothing is there.
      for (const [i, text] of textsOf(step, project).entries())
        if (!step.directories.has(step.outputs[i]!)) assert.match(String(text), /^(one|two)$/, `at ${n}`);
      await recovers();
      found.add(await isWhole(step, project, `at ${n}`));
      const { saved } = await makes(step, "three");
      assert.deepEqual([saved, await isWhole(step, project, `after ${n}`)], [[], "three"]);
      return survived;
    });
    assert.deepEqual(found, new Set(["one", "two"]));
    assert(points > 15, `${points} points`);
  });

test("so is one that is made for the first time, where the old one is nothing", () =>
  atEveryChange(async (project, n) => {
    const [name, step] = ["a directory and a file", groups["a directory and a file"]!] as const;
    const survived = await killedAt(killer.program, n, name, { does: "make", text: "two" });
    await recovers();
    await isWhole(step, project, `at ${n}`);
    return survived;
  }).then(() => undefined));

test("a start that is killed while it completes what another left is completed by the next", async () => {
  const [name, step] = ["a directory and a file", groups["a directory and a file"]!] as const;
  // Right after the first output has its name, each time anew in a copy.
  await inFolder(async (killed) => {
    for (let n = 1; ; n += 1) {
      await makes(step, "one");
      await killedAt(killer.program, n, name, { does: "publish", text: "two" });
      const texts = textsOf(step, killed);
      if (new Set(texts).size === 2 && !texts.includes(undefined)) break;
      await recovers();
    }
    const points = await atEveryChange(async (project, n) => {
      const filter = (path: string) => !path.endsWith(".sock");
      cpSync(killed.root, project.root, { recursive: true, filter, preserveTimestamps: true });
      const survived = await killedAt(killer.program, n, name, { does: "recover" });
      await recovers();
      assert.equal(await isWhole(step, project, `at ${n} of the recovery`), "two");
      return survived;
    });
    assert(points > 8, `${points} points`);
  });
});
