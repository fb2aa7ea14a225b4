// What a person reads when the machine refuses, or another dmake is in the way: the cause, and what to do about it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { diagnose } from "../../src/cli/diagnose.js";
import { warningText } from "../../src/cli/warn.js";
import type { Warning } from "../../src/core/event.js";
import type { Failure } from "../../src/core/failure.js";

const io = (code: string, path = "data/out.csv"): string =>
  diagnose({ reason: "io", doing: "write", path, code });

test("each code that is worth knowing has its sentence and a remedy", () => {
  const cases: Readonly<Record<string, readonly [text: string, help: RegExp]>> = {
    EACCES: ["permission denied", /^who may is shown by `ls -ld data data\/out\.csv`$/],
    EDQUOT: ["the disk quota is used up", /`quota`/],
    EIO: ["the disk or its connection is broken", /`dmesg \| tail`/],
    EISDIR: ["it is a folder", /ends in `\/`/],
    EMFILE: ["too many open files", /`ulimit -n 4096`$/],
    ENAMETOOLONG: ["the name is too long", /255 bytes/],
    ENFILE: ["too many open files on this machine", /`-j`/],
    ENOSPC: [
      "the disk is full",
      /^free some space on the disk of `\/.*` \(\d[\d.]* \w?B left\), then run dmake again/,
    ],
    ENOTDIR: ["a part of the path is a file", /in the way/],
    EPERM: ["not permitted", /`ls -ld data\/out\.csv`$/],
    EROFS: ["the file system is read-only", /mount it for writing/],
    ESTALE: ["the file server has lost track of it", /mount it anew/],
    EXDEV: ["it lies on another file system", /a link or a mount/],
  };
  for (const [code, [text, help]] of Object.entries(cases)) {
    const [message, said = "", ...more] = io(code).split("\n");
    assert.equal(message, `error: cannot write \`data/out.csv\`: ${text} (${code})`);
    assert.match(said.replace(/^help: /, ""), help, code);
    assert.deepEqual(more, []);
  }
  assert.equal(io("EWEIRD"), "error: cannot write `data/out.csv`: EWEIRD");
});

test("what is to be pasted into a shell is one word there", () => {
  assert.match(io("EACCES", "data/it's here.csv"), /`ls -ld data 'data\/it'\\''s here\.csv'`$/);
});

test("what another run has to do with a failure", () => {
  const holder = { run: "3f2a9c0155667788", pid: 4711, host: "vm" };
  const cases: readonly (readonly [failure: Failure, ...text: string[]])[] = [
    [
      { reason: "locked", target: "out.txt", holder },
      "error: `out.txt` is being made by run 3f2a9c01… (pid 4711, vm)",
      "help: without `--no-wait` dmake waits for it",
    ],
    [
      { reason: "lock-lost", target: "out.txt" },
      "error: another dmake took over `out.txt`, because this one had shown no sign of life: nothing was published",
      "help: run dmake again: it waits for the other one, and makes only what is still stale",
    ],
    [
      { reason: "timed-out", afterMs: 90_000 },
      "error: the recipe was not done after 1:30 and was ended",
      "help: if it may take longer, raise the rule's `timeout`",
    ],
  ];
  for (const [failure, ...text] of cases) assert.deepEqual(diagnose(failure).split("\n"), text);
});

test("what is found of runs that died, of lists and of limits is a warning in words", () => {
  const holder = { run: "3f2a9c0155667788", pid: 4711, host: "vm" };
  const at = { file: "Datafile.ts", line: 4 };
  const cases: readonly (readonly [warning: Warning, text: string])[] = [
    [
      { warning: "orphans-stopped", holder, pids: [12] },
      "a process that a dead dmake had left running was ended: pid 12, of run 3f2a9c01… (pid 4711, vm)",
    ],
    [
      { warning: "orphans-stopped", holder, pids: [12, 13] },
      "2 processes that a dead dmake had left running were ended: pids 12, 13, of run 3f2a9c01… (pid 4711, vm)",
    ],
    [
      { warning: "publish-resumed", step: "a", how: "completed" },
      "another dmake died while it put `a` in place: that is completed now",
    ],
    [
      { warning: "publish-resumed", step: "a", how: "undone" },
      "another dmake died while it put `a` in place: it will be made again",
    ],
    [
      { warning: "jobserver-ignored", auth: "3,4" },
      "the jobserver that the environment names cannot be shared (`3,4`): dmake counts its own recipes\nhelp: GNU make 4.4 shares one that can, with a `+` before the line that calls dmake",
    ],
    [
      { warning: "list-lost", wildcard: "month", manifest: "index.txt", at },
      "the values of `{month}` are listed in `index.txt`, which could not be made: what they lead to was not built\n  --> Datafile.ts:4",
    ],
    [
      { warning: "few-files", limit: 48, jobs: 1 },
      "a process may have 48 files open here, which is enough for one recipe at once\nhelp: allow more of them: `ulimit -n 4096`",
    ],
  ];
  for (const [warning, text] of cases) assert.equal(warningText(warning), `warning: ${text}`);
});
