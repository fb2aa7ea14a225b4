// A large file from a server on this machine, in a process of its own: dmake, which hashes on the way and syncs, against curl. Knows nothing of how they do it.
import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { type Context, dmake, Figures, inRounds, inScratch, mustRun } from "./context.js";
import type { Command } from "./process.js";
import type { Report } from "./report.js";

const measure = "download";
const byCurl = "curl -o";
const bytesOf = { usual: 500_000_000, quick: 20_000_000 };

interface Rival {
  readonly who: string;
  readonly file: string;
  readonly command: Command;
}

export const benchDownload = (context: Context): AsyncIterable<Report> =>
  inScratch(async function* (folder) {
    const { plan, signal, peers, say } = context;
    const bytes = plan.quick ? bytesOf.quick : bytesOf.usual;
    const web = await serve(bytes);
    try {
      const url = `http://127.0.0.1:${web.port}/file.bin`;
      const { rivals, skipped } = rivalsOf(folder, url, peers.missing);
      // Not counted: the Datafile is compiled.
      if (!plan.quick) await mustRun(rivals[0]!.command, signal);
      const figures = new Figures();
      await inRounds(context, async (round) => {
        say(`download: round ${round + 1}`);
        for (const { who, file, command } of rivals) {
          rmSync(join(folder, file), { force: true });
          figures.addRun(who, measure, await mustRun(command, signal));
          assert.equal(statSync(join(folder, file)).size, bytes, who);
        }
        for (const { who, file } of rivals) assert.equal(await digestOf(join(folder, file)), web.digest, who);
      });
      const [of, to] = ["dmake", byCurl].map((who) => ({ who, measure }));
      yield {
        name: "download",
        what: `${bytes / 1e6} MB from a server on this machine`,
        subject: "dmake",
        figures: figures.all,
        comparisons: [{ of: of!, by: "ratio", to: to!, limit: 1.1 }],
        floors: [
          {
            what: `download of ${bytes / 1e6} MB`,
            is: "`curl -o`: no hash, not synced",
            of: of!,
            floor: to!,
          },
        ],
        notes: [`all files have the digest of what was sent, ${web.digest.slice(0, 10)}…`],
        skipped,
      };
    } finally {
      await web.stop();
    }
  });

function rivalsOf(folder: string, url: string, missing: readonly string[]) {
  writeFileSync(
    join(folder, "Datafile.ts"),
    `import { download } from "dmake";
export const file = download("by-dmake.bin", { url: "${url}" });
export default [file];
`,
  );
  const shell = (line: string): Command => ({ program: "sh", args: ["-c", line], cwd: folder });
  const curl = `curl -s --fail`;
  const all: (Rival & { readonly needs: readonly string[] })[] = [
    { who: "dmake", file: "by-dmake.bin", command: dmake(folder, []), needs: [] },
    {
      who: byCurl,
      file: "curl.bin",
      command: { program: "curl", args: ["-s", "--fail", "-o", "curl.bin", url], cwd: folder },
      needs: ["curl"],
    },
    {
      who: "curl -o, then sync",
      file: "synced.bin",
      command: shell(`${curl} -o synced.bin ${url} && sync synced.bin`),
      needs: ["curl"],
    },
    {
      who: "curl | tee | openssl dgst -sha256",
      file: "hashed.bin",
      command: shell(`${curl} ${url} | tee hashed.bin | openssl dgst -sha256`),
      needs: ["curl", "openssl"],
    },
  ];
  const lacking = (names: readonly string[]) => names.find((name) => missing.includes(name));
  return {
    rivals: all.filter(({ needs }) => lacking(needs) === undefined),
    skipped: all.flatMap(({ who, needs }) => {
      const name = lacking(needs);
      return name === undefined ? [] : [`${who}: ${name} is not installed`];
    }),
  };
}

async function serve(bytes: number) {
  const script = fileURLToPath(new URL("web.mjs", import.meta.url));
  const child = spawn(process.execPath, [script, String(bytes)], { stdio: ["pipe", "pipe", "inherit"] });
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const [port = "", digest = ""] = String(line).trim().split(" ");
  return {
    port,
    digest,
    stop: async () => {
      const ended = once(child, "exit");
      child.stdin.end();
      await ended;
    },
  };
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return hash.digest("hex");
}
