// Steps that were fresh are known again by their text and by what their files look like, and by nothing less. Told on real files.
import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { test } from "node:test";
import type { Fact } from "../../src/core/trace.js";
import { lookOf, statOf } from "../../src/stores/file-look.js";
import { Records } from "../../src/stores/file-records.js";
import { UntouchedFiles } from "../../src/stores/file-untouched.js";
import { inFolder } from "../rig/project.js";
import { must } from "../rig/world.js";
import { trace } from "./state-rig.js";

const directory = ".dmake";
const path = ".dmake/cache/untouched";
const statePath = ".dmake/state.ndjson";

/** As a new process has them. */
function open({ writable = true } = {}) {
  const records = new Records({ directory, writable, warn: () => undefined });
  return { records, untouched: new UntouchedFiles({ directory, writable, records }) };
}

const digestOf = (name: string) => `sha256:${readFileSync(name, "utf8").trim()}`;
const present = (name: string): Fact => ({ kind: "present", digest: digestOf(name) });
const wordsOf = (names: readonly string[], recipe = "cp") => [...names, recipe];

/** Records what files hold, as a process does that has read them long after they were written. */
function stamp({ records }: ReturnType<typeof open>, ...names: string[]): void {
  const stamps = names.map((name) => {
    const stats = statOf(name);
    assert(stats);
    return [name, { ...lookOf(stats), digest: digestOf(name) }] as const;
  });
  must(records.write((state) => state.setStamps(stamps)));
}

/** Notes steps as fresh, each an output and an input, and ends the process. */
function note(...steps: readonly (readonly string[])[]): void {
  const here = open();
  stamp(here, ...steps.flat());
  here.untouched.keep(steps.map((names) => ({ words: wordsOf(names), names, facts: names.map(present) })));
  here.untouched.close();
}

const holds = (names: readonly string[], recipe?: string): boolean =>
  open().untouched.holds(wordsOf(names, recipe), names);

const step = ["out.txt", "in.txt"] as const;

const story = (name: string, work: () => void) =>
  test(name, () =>
    inFolder(async () => {
      for (const name of [...step, "other.txt"]) writeFileSync(name, `${name[0]}\n`);
      note(step);
      assert(holds(step));
      work();
    }),
  );

story("another text is another step", () => {
  assert(!holds(step, "mv"));
  assert(!holds(["out.txt", "other.txt"]));
  assert(!holds(["other.txt", "in.txt"]));
});

story("other bytes of the same length with the time put back are seen", () => {
  const { atime, mtime } = statTimes("in.txt");
  writeFileSync("in.txt", "b\n");
  utimesSync("in.txt", atime, mtime);
  assert(!holds(step));
});

story("another file under the same name is seen, and one that is gone", () => {
  writeFileSync("new.txt", "a\n");
  renameSync("new.txt", "out.txt");
  assert(!holds(step));
  unlinkSync("out.txt");
  assert(!holds(step));
});

story("a step that was recorded since is not vouched for, and others are", () => {
  note(step, ["other.txt", "in.txt"]);
  const { records } = open();
  must(records.write((state) => state.dropTrace("out.txt")));
  must(records.write((state) => state.leave({ name: "gone.txt", digest: "sha256:x", step: "gone.txt" })));
  assert(!holds(["other.txt", "in.txt"]));
});

story("what another process records of one step leaves the others", () => {
  note(step, ["other.txt", "in.txt"]);
  must(open().records.write((state) => state.setTrace("out.txt", trace("0123456789abcdef"))));
  assert(!holds(step));
  assert(holds(["other.txt", "in.txt"]));
  const intending = open();
  must(intending.records.write((state) => state.intend("out.txt", trace("0123456789abcdef"))));
  assert(
    !holds(["other.txt", "in.txt"]),
    "something is being published: whoever starts next has to see to it",
  );
  assert(!open().untouched.hasNoIntents);
});

story("a state file that is another one, shorter, or gone vouches for nothing", () => {
  const text = readFileSync(statePath);
  writeFileSync("copy", text);
  renameSync("copy", statePath);
  assert(!holds(step));
  note(step);
  assert(holds(step));
  truncateSync(statePath, 10);
  assert(!holds(step));
  rmSync(statePath);
  assert(!holds(step));
});

story("a torn last line of the state file, and one that nobody can read", () => {
  appendFileSync(statePath, "garbage\n");
  assert(!holds(step));
  note(step);
  appendFileSync(statePath, '["');
  assert(!holds(step));
});

story("a damaged file is as good as none", () => {
  const bytes = readFileSync(path);
  for (const at of [0, 5, bytes.length >> 1, bytes.length - 1]) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    writeFileSync(path, damaged);
    assert(!holds(step), `byte ${at}`);
  }
  for (const length of [0, 3, bytes.length - 1]) {
    writeFileSync(path, bytes.subarray(0, length));
    assert(!holds(step), `${length} bytes`);
  }
  writeFileSync(path, bytes);
  assert(holds(step));
});

story(
  "a file that was read too soon after it was written is not noted, nor one whose content is another by now",
  () => {
    writeFileSync("out.txt", "b\n");
    const here = open();
    here.untouched.keep([{ words: wordsOf(step), names: step, facts: step.map(present) }]);
    here.untouched.close();
    assert(!holds(step), "no stamp says what the file holds");
    const later = open();
    stamp(later, ...step);
    const fact: Fact = { kind: "present", digest: "sha256:a" };
    later.untouched.keep([{ words: wordsOf(step), names: step, facts: [fact, fact] }]);
    later.untouched.close();
    assert(!holds(step), "the stamp is of other bytes than the verdict");
  },
);

story("steps of other goals are kept, and a step that was untouched is taken over", () => {
  note(["other.txt", "in.txt"]);
  assert(holds(step));
  const here = open();
  assert(here.untouched.holds(wordsOf(step), step));
  stamp(here, "other.txt", "in.txt");
  const names = ["other.txt", "in.txt"];
  here.untouched.keep([
    { words: wordsOf(step), names: step },
    { words: wordsOf(names, "mv"), names, facts: names.map(present) },
  ]);
  here.untouched.close();
  assert(holds(step) && holds(names, "mv") && !holds(names));
});

story("of a step that was made anew nothing is taken over, be it by this process or by another", () => {
  const others = ["other.txt", "in.txt"] as const;
  note(step, others);
  const here = open();
  here.records.state();
  here.untouched.recorded("out.txt");
  assert(!here.untouched.holds(wordsOf(step), step));
  const meanwhile = open();
  must(meanwhile.records.write((state) => state.setTrace("other.txt", trace("0123456789abcdef"))));
  must(here.records.read((state) => state.refresh()));
  writeFileSync("new.txt", "n\n");
  stamp(here, "new.txt");
  const names = ["new.txt"];
  here.untouched.keep([
    { words: wordsOf(names), names, facts: names.map(present) },
    { words: ["out.txt"], names: [] },
    { words: wordsOf(others, "mv"), names: others, facts: others.map(present) },
  ]);
  here.untouched.close();
  assert(holds(names));
  assert(!holds(step), "it has another record than the one that was noted");
  assert(!holds(others) && !holds(others, "mv"), "nobody here knows of what recipe it is now");
});

story("what was made is noted by what its files are found to hold, and its names are told once", () => {
  const { untouched } = open();
  untouched.keep([
    { words: wordsOf(step), names: step, facts: step.map(present), isMade: true },
    { words: ["other.txt"], names: ["other.txt"], facts: [present("other.txt")] },
  ]);
  assert.deepEqual(untouched.made, [...step]);
});

story("a few new steps among many are not worth writing all of them again", () => {
  const many = Array.from({ length: 200 }, (_, i) => [`made${i}.txt`, "in.txt"] as const);
  for (const [name] of many) writeFileSync(name, `${name}\n`);
  note(...many);
  const before = readFileSync(path);
  note(["other.txt", "in.txt"]);
  assert.deepEqual(readFileSync(path), before);
  note(["other.txt", "in.txt"], step);
  assert(holds(["other.txt", "in.txt"]) && holds(step) && many.every((one) => holds(one)));
});

story("it is its owner's alone, for commands are in it", () => {
  assert.equal(Number(statOf(path)?.mode ?? 0n) & 0o077, 0);
});

story("a query writes nothing", () => {
  rmSync(path);
  const here = open({ writable: false });
  here.untouched.keep([{ words: wordsOf(step), names: step, facts: step.map(present) }]);
  here.untouched.close();
  assert(!existsSync(path));
});

story(
  "while another process writes nothing is written, and what a killed one left is in nobody's way for long",
  () => {
    const other = ["other.txt", "in.txt"];
    writeFileSync(`${path}.next`, "half");
    note(other);
    assert(!holds(other));
    assert.equal(readFileSync(`${path}.next`, "utf8"), "half");
    const longAgo = new Date(Date.now() - 3_600_000);
    utimesSync(`${path}.next`, longAgo, longAgo);
    note(other);
    assert(holds(other));
    assert(!existsSync(`${path}.next`));
  },
);

function statTimes(name: string): { readonly atime: Date; readonly mtime: Date } {
  const stats = statOf(name);
  assert(stats);
  return { atime: stats.atime, mtime: stats.mtime };
}
