// A throw-away folder with files that a test wrote. Knows nothing of what a test expects.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A date long before the disk's now: a file of that time is not racy by its modification time. */
export const longAgo = new Date("2020-01-01T00:00:00Z");

/** Lives for one test; `remove` leaves nothing. */
export class Folder {
  readonly root: string;

  constructor(name = "dmake-test-") {
    this.root = realpathSync(mkdtempSync(join(tmpdir(), name)));
  }

  path(name: string): string {
    return join(this.root, name);
  }

  write(name: string, text: string | Uint8Array): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  /** Sets both times of a file. */
  date(name: string, date: Date): void {
    utimesSync(this.path(name), date, date);
  }

  /** All files below, sorted, without `but`. */
  list(but: (name: string) => boolean = () => false): string[] {
    const entries = readdirSync(this.root, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.root.length + 1))
      .filter((name) => !but(name))
      .sort();
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Runs in an empty folder that is the current one, as it is for dmake, and goes back. */
export async function inFolder(work: (project: Folder) => Promise<void>): Promise<void> {
  const before = process.cwd();
  const project = new Folder();
  process.chdir(project.root);
  try {
    await work(project);
  } finally {
    process.chdir(before);
    project.remove();
  }
}
