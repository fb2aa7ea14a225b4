// The least that an engine in node does: read the graph, stat each file once, compare; and to build, two shells that live on. `node floor.mjs look|build` in a folder with floor.json. Knows nothing of dmake, and of no content.
import { spawn } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";

const { sources, targets, commands, chains } = JSON.parse(readFileSync("floor.json", "utf8"));

const stampsNow = () =>
  [...sources, ...targets].map((name) => {
    const stat = statSync(name, { bigint: true, throwIfNoEntry: false });
    return stat === undefined ? "" : `${stat.mtimeNs} ${stat.size} ${stat.ino}`;
  });

async function build() {
  const shells = [0, 1].map((which) => {
    const child = spawn("/bin/sh", ["-se"], { stdio: ["pipe", "inherit", "inherit"] });
    const mine = commands.filter((_, n) => chains[n] % 2 === which);
    child.stdin.end(mine.map((command) => `( ${command} )\n`).join(""));
    return new Promise((resolve) => child.once("exit", resolve));
  });
  const codes = await Promise.all(shells);
  if (codes.some((code) => code !== 0)) process.exitCode = 1;
  writeFileSync("floor.state", stampsNow().join("\n"));
}

function look() {
  const then = readFileSync("floor.state", "utf8").split("\n");
  const stale = stampsNow().filter((stamp, n) => stamp !== then[n]).length;
  if (stale > 0) {
    process.stdout.write(`${stale} differ\n`);
    process.exitCode = 3;
  }
}

if (process.argv[2] === "build") await build();
else look();
