// Takes away what dmake needs of the machine: room, names, open files, the right to write; then gives it back. Knows nothing of what each is needed for.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import {
  copyProject,
  differencesOf,
  type Ran,
  run,
  type Snapshot,
  snapshot,
  temporariesIn,
  writeAll,
} from "../rig/faults.js";
import type { Trials } from "./trials.js";

const kilobyte = 1024;
/** So much of the disk is left. */
const rooms = [0, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384].map((count) => count * kilobyte);
/** So many files can be made. */
const names = [0, 1, 2, 3, 4, 6, 8, 12];
/** The longest file, in blocks of 512 bytes, as `ulimit -f` counts. */
const lengths = [0, 1, 4, 10, 20, 40, 80];
/** The highest number of open files. Node itself does not start with fewer. */
const descriptors = [28, 32, 36, 40, 48, 64, 96];

const quickLevels = 1;

const datafile = `import { download, script, sh } from "dmake";
import { readFile, writeFile } from "node:fs/promises";
export const big = sh("out/big.txt", { from: "in/a.txt" }, ({ $, input, output }) => $\`cat \${input} \${input} > \${output}\`);
export const copy = script("out/copy.txt", { from: "in/a.txt" }, async ({ input, output }) => {
  await writeFile(output, await readFile(input));
});
export const brought = download("out/brought.txt", { url: "file:in/a.txt" });
export const pair = sh(["out/left.txt", "out/right.txt"], { from: "in/a.txt" },
  ({ $, input, outputs }) => $\`cp \${input} \${outputs[0]}; cp \${input} \${outputs[1]}\`);
export const parts = sh("out/parts/", { from: "in/a.txt" }, ({ $, input, output }) => $\`cp \${input} \${output}/one; cp \${input} \${output}/two\`);
export const many = sh("many/{n}.txt", { from: "in/b.txt", where: { n: Array.from({ length: 16 }, (_, i) => String(i)) } },
  ({ $, input, output, params }) => $\`(cat \${input}; echo \${params.n}) > \${output}\`);
export default [big, copy, brought, pair, parts, many];
`;

const filesOf = (version: string) => ({
  "Datafile.ts": datafile,
  "in/a.txt": `${version}\n${"0123456789abcdef".repeat(1250)}\n`,
  "in/b.txt": `${version}\n`,
});

interface Scene {
  /** Built from what the inputs were, with other inputs now. */
  readonly before: string;
  readonly old: Snapshot;
  readonly whole: Snapshot;
}

interface Scarcity {
  readonly part: string;
  readonly levels: readonly number[];
  /** What the one message of a target that fails has in it. */
  readonly says: RegExp;
  /** Takes something away, and answers how to give it back. */
  readonly take: (project: string, level: number) => () => void;
  /** What the program is started under, if that is how it is taken away. */
  readonly under?: (level: number) => readonly string[];
}

const limited = (flag: string) => (level: number) => ["sh", "-c", `ulimit ${flag} ${level}; exec "$@"`, "sh"];
const nothing = () => () => undefined;

const onDisk: readonly Scarcity[] = [
  { part: "room", levels: rooms, says: /ENOSPC|no space|disk .*full/i, take: fill },
  { part: "names", levels: names, says: /ENOSPC|no space|disk .*full/i, take: useNames },
  { part: "read-only", levels: [0], says: /EROFS|read-only/i, take: forbid },
];
const anywhere: readonly Scarcity[] = [
  { part: "length", levels: lengths, says: /EFBIG|too large|SIGXFSZ/i, take: nothing, under: limited("-f") },
  {
    part: "open files",
    levels: descriptors,
    says: /EMFILE|too many open files|cannot open/i,
    take: nothing,
    under: limited("-n"),
  },
];

export async function diskFull(trials: Trials): Promise<void> {
  const { scratch } = trials.wanted;
  const [home, disk] = [join(scratch, "disk-full"), join(scratch, "disk")];
  mkdirSync(home, { recursive: true });
  const scene = await prepare(home, trials);
  for (const scarcity of anywhere)
    await starve(scene, { ...scarcity, project: join(home, "project"), trials });
  await otherDisk(scene, trials);
  if (!mount(disk)) {
    for (const { part } of onDisk) trials.skip(part, "a small file system cannot be mounted here");
    return;
  }
  try {
    for (const scarcity of onDisk)
      await starve(scene, { ...scarcity, project: join(disk, "project"), trials });
  } finally {
    execFileSync("umount", ["-l", disk]);
  }
}

/** A file system of 2 MB in memory, if we may. */
function mount(folder: string): boolean {
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,nr_inodes=400", "tmpfs", folder], {
      stdio: "ignore",
    });
    return true;
  } catch {
    return false;
  }
}

async function prepare(home: string, { wanted: { binary } }: Trials): Promise<Scene> {
  const [cwd, before] = [join(home, "project"), join(home, "before")];
  const build = async () => {
    const built = await run({ binary, cwd, args: ["-j", "4"] });
    assert.equal(built.code, 0, built.text);
  };
  writeAll(cwd, filesOf("v1"));
  await build();
  writeAll(cwd, filesOf("v2"));
  copyProject(cwd, before);
  const old = snapshot(cwd);
  await build();
  return { before, old, whole: snapshot(cwd) };
}

type Starved = Scarcity & { readonly project: string; readonly trials: Trials };

async function starve(
  scene: Scene,
  { part, levels, says, take, under, project, trials }: Starved,
): Promise<void> {
  const { binary } = trials.wanted;
  for (const level of trials.sample(part, levels, quickLevels))
    await trials.try(part, String(level), async () => {
      copyProject(scene.before, project);
      const giveBack = take(project, level);
      let starved: Ran;
      try {
        const words = under?.(level);
        starved = await run({
          binary,
          cwd: project,
          args: ["-k", "-j", "4"],
          ...(words && { under: words }),
        });
        isClear(starved, says);
        isWholeOrNot(project, scene, starved.text);
      } finally {
        giveBack();
      }
      const again = await run({ binary, cwd: project, args: ["-j", "4"] });
      assert.equal(again.code, 0, `afterwards\n${again.text}\n-- before\n${starved.text}`);
      assert.deepEqual(
        differencesOf(snapshot(project), scene.whole),
        [],
        `afterwards\n${again.text}\n-- before\n${starved.text}`,
      );
      assert.deepEqual(temporariesIn(project), [], `afterwards\n${again.text}`);
      const question = await run({ binary, cwd: project, args: ["-q"] });
      assert.equal(question.code, 0, `stale afterwards\n${again.text}`);
    });
}

/** It works, or one message for each target that fails, which says why; or one message in all. */
function isClear({ code, signal, text }: Ran, says: RegExp): void {
  assert(code === 0 || code === 1, `ended with ${code ?? signal}\n${text}`);
  assert(
    !/bug in dmake|\n\s+at .*\(?.*:\d+:\d+|thrown where nobody waits/.test(text),
    `no message, but\n${text}`,
  );
  if (code === 0) return;
  const errors = text.match(/^error: .*$/gm) ?? [];
  const failed = new Set(text.match(/^failed: .*$/gm));
  assert(errors.length > 0, `nothing is said\n${text}`);
  assert(
    errors.length <= Math.max(failed.size, 1),
    `${errors.length} messages for ${failed.size} targets\n${text}`,
  );
  assert.match(text, says);
}

function isWholeOrNot(project: string, { old, whole }: Scene, said: string): void {
  const now = snapshot(project);
  const temporaries = new Set(temporariesIn(project));
  for (const [path, content] of now)
    if (path !== "filler" && !path.startsWith("fillers/") && !temporaries.has(path))
      assert([old.get(path), whole.get(path)].includes(content), `${path} is not whole\n${said}`);
  for (const path of old.keys()) assert(now.has(path), `${path} is not there\n${said}`);
}

/** Fills the disk up to so many bytes. */
function fill(project: string, left: number): () => void {
  const filler = join(project, "filler");
  const descriptor = openSync(filler, "w");
  let size = 0;
  try {
    for (;;) size += writeSync(descriptor, Buffer.alloc(4 * kilobyte));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  } finally {
    closeSync(descriptor);
  }
  truncateSync(filler, Math.max(0, size - left));
  return () => rmSync(filler);
}

/** Makes files until only so many more can be made. */
function useNames(project: string, left: number): () => void {
  const folder = join(project, "fillers");
  mkdirSync(folder);
  let made = 0;
  try {
    for (; ; made += 1) writeFileSync(join(folder, String(made)), "");
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  }
  for (let i = 0; i < left; i += 1) rmSync(join(folder, String(made - 1 - i)));
  return () => rmSync(folder, { recursive: true });
}

/** Not even root may write to a file system that is mounted so. */
function forbid(project: string): () => void {
  const disk = join(project, "..");
  execFileSync("mount", ["-o", "remount,ro", disk]);
  return () => execFileSync("mount", ["-o", "remount,rw", disk]);
}

/** dmake's own folder on another file system than the project: nothing can be renamed or linked between them. */
async function otherDisk({ before, whole }: Scene, trials: Trials): Promise<void> {
  const { binary, scratch } = trials.wanted;
  const [project, other] = [join(scratch, "disk-full/project"), join(scratch, "other-disk")];
  if (!mount(other)) return trials.skip("other disk", "a small file system cannot be mounted here");
  try {
    await trials.try("other disk", "0", async () => {
      copyProject(before, project);
      copyProject(join(project, ".dmake"), join(other, "own"));
      rmSync(join(project, ".dmake"), { recursive: true });
      symlinkSync(join(other, "own"), join(project, ".dmake"));
      appendFileSync(join(project, "out/big.txt"), "by hand\n");
      const edited = readFileSync(join(project, "out/big.txt"), "utf8");
      const built = await run({ binary, cwd: project, args: ["-j", "4"] });
      assert.equal(built.code, 0, built.text);
      const found = snapshot(project);
      const shown = new Map([...found].filter(([path]) => path !== ".dmake"));
      assert.deepEqual(differencesOf(shown, whole), [], built.text);
      const saved = /\.dmake\/saved\/\S+?big\.txt/.exec(built.text)?.[0];
      assert(saved, `nothing was saved\n${built.text}`);
      assert.equal(readFileSync(join(project, saved), "utf8"), edited);
      const question = await run({ binary, cwd: project, args: ["-q"] });
      assert.equal(question.code, 0, question.text);
    });
  } finally {
    execFileSync("umount", ["-l", other]);
    rmSync(join(project, ".dmake"), { force: true, recursive: true });
  }
}
