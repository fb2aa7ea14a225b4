// Large files read and hashed: by dmake when it sees them for the first time and when all were touched, against programs that do only that. Knows nothing of small files.
import { strict as assert } from "node:assert";
import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type Context, dmake, Figures, inRounds, inScratch, mustRun, nodeScript } from "./context.js";
import type { Command } from "./process.js";
import type { Report } from "./report.js";

const first = "first look";
const all = "all read again";
const names = ["0.bin", "1.bin", "2.bin", "3.bin"];
const megabytesOf = { usual: 256, quick: 8 };

const datafile = `import { sh } from "dmake";
export const seen = sh("seen.txt", { from: ${JSON.stringify(names)} }, ({ $, output }) => $\`echo seen > \${output}\`);
export default [seen];
`;

const bare = "bare node, 2 workers";

export const benchHashing = (context: Context): AsyncIterable<Report> =>
  inScratch(async function* (folder) {
    const { plan, signal, say } = context;
    const megabytes = plan.quick ? megabytesOf.quick : megabytesOf.usual;
    say(`hashing: writing 4 files of ${megabytes} MiB`);
    for (const name of names) writeLarge(join(folder, name), megabytes);
    writeFileSync(join(folder, "Datafile.ts"), datafile);
    const { rivals, skipped } = rivalsOf(folder, context.peers.missing);
    const figures = new Figures();
    await mustRun(dmake(folder, []), signal);
    await inRounds(context, async (round) => {
      say(`hashing: round ${round + 1}`);
      for (const name of [".dmake", "seen.txt"]) rmSync(join(folder, name), { recursive: true });
      figures.addRun("dmake", first, await mustRun(dmake(folder, []), signal));
      for (const name of names) utimesSync(join(folder, name), new Date(), new Date());
      const touched = await mustRun(dmake(folder, ["--json"]), signal);
      figures.addRun("dmake", all, touched);
      assert.doesNotMatch(touched.output, /"event":"running"/, "the same bytes made something stale");
      for (const { who, command } of rivals) figures.addRun(who, all, await mustRun(command, signal));
    });
    await checkDigest(folder, context);
    const of = { who: "dmake", measure: all };
    const floor = { who: bare, measure: all };
    yield {
      name: "hashing",
      what: `4 files of ${megabytes} MiB; seen for the first time (and one recipe run), and touched with the same bytes`,
      subject: "dmake",
      figures: figures.all,
      comparisons: [
        { of, by: "ratio", to: floor },
        { of, by: "ratio", to: { who: "sha256sum", measure: all } },
      ],
      floors: [
        {
          what: `4 files of ${megabytes} MiB touched`,
          is: "start of node, SHA-256 of all bytes in two workers",
          of,
          floor,
        },
      ],
      notes: [
        "a touch ran nothing, one more byte ran one recipe, and the digest it was run for is that of sha256",
      ],
      skipped,
    };
  });

function writeLarge(path: string, megabytes: number): void {
  const block = randomBytes(1 << 20);
  const file = openSync(path, "w");
  for (let n = 0; n < megabytes; n++) writeSync(file, block);
  closeSync(file);
}

function rivalsOf(folder: string, missing: readonly string[]) {
  const openssl = ["dgst", "-sha256"];
  const two = ["-a", "names", "-d", "\n", "-P", "2", "-n", "2", "openssl", ...openssl];
  writeFileSync(join(folder, "names"), names.map((name) => `${name}\n`).join(""));
  const peers: readonly { readonly who: string; readonly needs: string; readonly command: Command }[] = [
    { who: "sha256sum", needs: "sha256sum", command: { program: "sha256sum", args: names, cwd: folder } },
    {
      who: "openssl dgst -sha256",
      needs: "openssl",
      command: { program: "openssl", args: [...openssl, ...names], cwd: folder },
    },
    { who: "openssl, 2 at once", needs: "openssl", command: { program: "xargs", args: two, cwd: folder } },
  ];
  const floor = { who: bare, needs: "node", command: nodeScript("hash.mjs", folder, names) };
  return {
    rivals: [floor, ...peers.filter(({ needs }) => !missing.includes(needs))],
    skipped: peers.filter(({ needs }) => missing.includes(needs)).map(({ who }) => `${who}: not installed`),
  };
}

/** One more byte in one file: one recipe runs, and says which digest the file has now. */
async function checkDigest(folder: string, { signal }: Context): Promise<void> {
  appendFileSync(join(folder, names[2]!), "x");
  const { output } = await mustRun(dmake(folder, ["--json"]), signal);
  const found = output.match(/"found":"sha256:[0-9a-f]{64}"/g) ?? [];
  const digest = createHash("sha256")
    .update(readFileSync(join(folder, names[2]!)))
    .digest("hex");
  assert.deepEqual(found, [`"found":"sha256:${digest}"`], output);
}
