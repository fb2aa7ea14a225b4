// Kills dmake at every change that it makes to the disk, and runs it again. Knows nothing of tables, or of what each change is for.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import {
  copyProject,
  type Death,
  differencesOf,
  ownFiles,
  type Ran,
  run,
  type Snapshot,
  snapshot,
  temporariesIn,
  writeAll,
} from "../rig/faults.js";
import { type Story, served, storiesOf } from "./stories.js";
import type { Trials } from "./trials.js";

/** In the short form, so many points of each story. */
const quickPoints = 2;
/** The short form leaves out stories whose points the others have as well. */
const quickStories = ["files-first", "groups", "groups-first", "data", "in-place"];

/** A story, prepared in one folder. */
interface Scene {
  readonly story: Story;
  readonly project: string;
  /** A copy of the project before the command. */
  readonly before: string;
  /** Where the points are listed. */
  readonly list: string;
  /** What is published before the command, and after it was left alone. */
  readonly old: Snapshot;
  readonly whole: Snapshot;
  /** The names of dmake's own files after it was left alone. */
  readonly own: ReadonlySet<string>;
  readonly points: readonly Death[];
  readonly what: readonly string[];
}

export async function killPoints(trials: Trials): Promise<void> {
  const server = createServer((request, response) => response.end(served(request.url ?? "")));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const { quick, point } = trials.wanted;
    const all = storiesOf(`http://127.0.0.1:${port}`);
    for (const story of all)
      if (!quick || point !== undefined || quickStories.includes(story.name)) await killIn(story, trials);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function killIn(story: Story, trials: Trials): Promise<void> {
  if (trials.isOver || !trials.isWanted(story.name)) return;
  const scenes = new Map<string, Scene>();
  const first = join(trials.wanted.scratch, `kill-points-${story.name}-0`);
  mkdirSync(first, { recursive: true });
  const scene = await prepare(story, first, trials);
  if (!scene) return trials.skip(story.name, "this dmake does not know what the story asks for");
  scenes.set(first, scene);
  const deaths = trials.sample(story.name, scene.points, quickPoints);
  await trials.each(story.name, deaths, (death, slot) =>
    trials.try(story.name, `${death.at}:${death.how}`, async () => {
      const here = scenes.get(slot) ?? (await prepare(story, slot, trials));
      assert(here, "the story could be told before");
      scenes.set(slot, here);
      return dieAndRecover(here, death, trials);
    }),
  );
}

async function prepare(story: Story, slot: string, trials: Trials): Promise<Scene | undefined> {
  const { binary } = trials.wanted;
  const [project, before, list] = ["project", "before", "points"].map((name) => join(slot, name));
  if (!project || !before || !list) throw new Error("bug: three names");
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project);
  if (story.before) {
    writeAll(project, story.before.files);
    const built = await run({ binary, cwd: project, args: argsOf(story.before.words) });
    if (built.code === 2 && built.text.includes("has no option `inPlace`")) return undefined;
    assert.equal(built.code, 0, built.text);
  }
  writeAll(project, story.after.files);
  const old = snapshot(project);
  copyProject(project, before);
  rmSync(list, { force: true });
  const counted = await run({ binary, cwd: project, args: argsOf(story.after.words), list });
  if (counted.code === 2 && counted.text.includes("has no option `inPlace`")) return undefined;
  assert.equal(counted.code, 0, counted.text);
  const lines = readFileSync(list, "utf8").trimEnd().split("\n");
  const points = lines.flatMap((line, i): readonly Death[] => {
    const hows =
      line.split("\t")[1] === "" ? (["before", "after"] as const) : (["before", "half", "after"] as const);
    return hows.map((how) => ({ at: i + 1, how }));
  });
  const own = new Set(ownFiles(project).map(withoutIds));
  const what = lines.map((line) => line.split("\t")[2] ?? "");
  return { story, project, before, list, old, whole: snapshot(project), own, points, what };
}

/** One recipe at a time, so that the points of two runs are the same. */
const argsOf = (words: readonly string[]): readonly string[] => ["-j", "1", ...words];

const withoutIds = (path: string): string => path.replace(/[0-9a-f]{16,}/g, "*");

async function dieAndRecover(scene: Scene, death: Death, trials: Trials): Promise<"missed" | "reached"> {
  const { story, project, before, list } = scene;
  const { binary } = trials.wanted;
  const { words } = story.after;
  copyProject(before, project);
  rmSync(list, { force: true });
  const killed = await run({ binary, cwd: project, args: argsOf(words), list, death });
  const at = `${death.how} ${scene.what[death.at - 1]}`;
  // A point that this run has not come to: it was left alone.
  const isMissed = !existsSync(list);
  if (isMissed) assert.equal(killed.code, 0, killed.text);
  else assert.equal(killed.signal, "SIGKILL", `${at}\n${killed.text}`);
  isWholeOrNot(scene, at);
  if (story.groups.length > 0) {
    const aside = await run({ binary, cwd: project, args: argsOf([story.aside, ...words]) });
    assert.equal(aside.code, 0, `the rerun of another target, after ${at}\n${aside.text}`);
    areGroupsWhole(scene, `${at}\n${aside.text}`);
  }
  const again = await run({ binary, cwd: project, args: argsOf(words) });
  isAsLeftAlone(scene, again, at);
  const question = await run({ binary, cwd: project, args: ["-q", ...words] });
  assert.equal(question.code, 0, `stale after the rerun, after ${at}\n${again.text}\n${question.text}`);
  isTidy(scene, `${at}\n${again.text}`);
  return isMissed ? "missed" : "reached";
}

const isBelow = (path: string, roots: readonly string[]): boolean =>
  roots.some((root) => (root.endsWith("/") ? path.startsWith(root) : path === root));

const isTemporary = (path: string): boolean => /\.dmake-[0-9a-f]+\./.test(path);

/** Right after the kill: every published file is the old one or the new one, and every old one is there. */
function isWholeOrNot({ story, project, old, whole }: Scene, at: string): void {
  const now = snapshot(project);
  for (const [path, content] of now) {
    if (isTemporary(path) || isBelow(path, story.inPlace)) continue;
    assert([old.get(path), whole.get(path)].includes(content), `${path} is half, ${at}`);
  }
  for (const path of old.keys())
    if (!isBelow(path, [...story.directories, ...story.inPlace]))
      assert(now.has(path), `${path} is not there, ${at}`);
  for (const directory of story.directories) {
    const found = under(now, directory);
    const versions = [new Map(), under(old, directory), under(whole, directory)];
    assert(
      versions.some((one) => differencesOf(found, one).length === 0),
      `${directory} is half, ${at}`,
    );
  }
}

const under = (all: Snapshot, root: string): Snapshot =>
  new Map([...all].filter(([path]) => isBelow(path, [root])));

/** Once another dmake has been there: a group is all old or all new, and nobody's temporary files lie about. */
function areGroupsWhole({ story, project, old, whole }: Scene, at: string): void {
  const now = snapshot(project);
  for (const group of story.groups) {
    const of = (all: Snapshot) => new Map([...all].filter(([path]) => isBelow(path, group)));
    const [found, before, after] = [of(now), of(old), of(whole)];
    const both = [differencesOf(found, before), differencesOf(found, after)];
    assert(
      both.some(({ length }) => length === 0),
      `a half group after a rerun of another target, ${at}\n${both[1]?.join("\n")}`,
    );
  }
  assert.deepEqual(temporariesIn(project), [], `left after a rerun of another target, ${at}`);
}

/** After the rerun: all as if nobody had been killed. */
function isAsLeftAlone({ project, whole }: Scene, again: Ran, at: string): void {
  assert.equal(again.code, 0, `the rerun, after ${at}\n${again.text}`);
  const found = differencesOf(snapshot(project), whole);
  assert.deepEqual(found, [], `after the rerun, ${at}\n${again.text}`);
}

/** And nothing else: no lock, no journal, no temporary file, nothing saved that nobody has edited. */
function isTidy({ project, own }: Scene, at: string): void {
  const more = ownFiles(project).filter((path) => !own.has(withoutIds(path)));
  assert.deepEqual(more, [], `left in .dmake after the rerun, ${at}`);
}
