// A command that is only a program and its arguments runs without a shell, and as it would with one. Told with real shells.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { start } from "../../src/recipes/shell-start.js";
import { handedOn, plainWords, programOf } from "../../src/recipes/shell-words.js";
import type { Folder } from "../rig/project.js";
import { holds } from "../rig/property.js";
import { failureOf, must } from "../rig/world.js";
import { run, story } from "./shells.js";

const shells = [["/bin/sh"], ["/bin/bash", "--posix"]].filter(([path = ""]) => existsSync(path));

function program(path: string, text = "#!/bin/sh\nfor one; do printf '%s\\0' \"$one\"; done\n"): void {
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}

/** What a shell gives a program of a command as arguments. */
const argumentsBy = ([shell = "", ...flags]: readonly string[], command: string) =>
  spawnSync(shell, [...flags, "-e", "-c", "--", command], { encoding: "utf8" })
    .stdout.split("\0")
    .slice(0, -1);

const fragments = fc.constantFrom(
  ..."a|b-1|./x|k=v|%s|@+:,_|'a b'|''|'it'|'$HOME'|'*'|'\\n'|'é'|'\n'| |  |\t|\n|\r|\f|\u00a0".split("|"),
  ..."~|#|$x|`|\\|\"|*|?|[a]|{b,c}|!|;|&|<|>|(|)|^|é|'|= |~x|$(x)|\0".split("|"),
);

story("words that no shell does anything with are what every shell makes of them", async () => {
  program("show");
  let plain = 0;
  await holds(
    fc.asyncProperty(fc.array(fragments, { maxLength: 8 }), async (parts) => {
      const command = `./show ${parts.join("")}`;
      const words = plainWords(command);
      if (!words) return;
      plain += 1;
      for (const shell of shells) assert.deepEqual(argumentsBy(shell, command), words.slice(1), shell[0]);
    }),
    1500,
  );
  assert(plain > 50, `only ${plain} were plain`);
});

test("a name that a shell keeps for itself is left to it", () => {
  const own = shells.flatMap((shell) =>
    spawnSync(shell[0]!, ["-c", "compgen -b; compgen -k"], { encoding: "utf8" }).stdout.split("\n"),
  );
  for (const name of [
    ...own.filter((one) => one !== ""),
    "echo",
    "test",
    "kill",
    "true",
    "cd",
    "exec",
    "if",
    "time",
  ])
    assert.equal(plainWords(`${name} x`), undefined, name);
});

test("what a shell would do more for is left to it", () => {
  for (const command of [
    "",
    " ",
    "A=1 cp a b",
    "'cp' a",
    "%1 a",
    "cp a b\nrm a",
    "cp a b;",
    "cp *",
    "cp a > b",
    "cp ~",
  ])
    assert.equal(plainWords(command), undefined, command);
  assert.deepEqual(plainWords("\n  cp\t-r 'a b' to=c\n"), ["cp", "-r", "a b", "to=c"]);
});

const startedBy = (command: string, env: NodeJS.ProcessEnv = process.env) => {
  const child = start({ command, env, descriptors: [], terminal: undefined });
  assert(!(child instanceof Error));
  child.on("error", assert.fail);
  return child.spawnfile;
};

story(
  "a program is found as by a shell, and whatever is odd about it is the shell's to say",
  async (folder) => {
    mkdirSync("bin");
    mkdirSync("bin/folder");
    program("bin/tool");
    program("here");
    program("bin/headless", "echo x\n");
    writeFileSync("bin/text", "#!/bin/sh\n");
    const env = { PATH: `/nowhere:${folder.path("bin")}::/usr/bin:/bin` };
    assert.equal(startedBy("tool a", env), folder.path("bin/tool"));
    assert.equal(startedBy("here a", env), "./here");
    assert.equal(startedBy("bin/tool a", {}), "bin/tool");
    for (const command of ["tool a; true", "headless", "text", "folder", "nothing", "bin/nothing"])
      assert.equal(startedBy(command, env), "/bin/sh", command);
    assert.equal(startedBy("tool a", {}), "/bin/sh", "without a PATH the shell has one of its own");
    assert.equal(programOf("tool", { ...env, "BASH_FUNC_tool%%": "() { :; }" }), undefined);
  },
);

story("a program is told the current directory by the name that it came with", async (folder: Folder) => {
  const here = realpathSync(".");
  mkdirSync("other");
  symlinkSync(here, "link");
  const link = folder.path("link");
  assert.equal(handedOn({ PWD: link }).PWD, link);
  for (const wrong of [undefined, "", ".", "/nowhere", "/etc/passwd/x", folder.path("other")])
    assert.equal(handedOn({ PWD: wrong }).PWD, here);
  for (const PWD of [link, "/nowhere"]) {
    const byShell = spawnSync("/bin/sh", ["-c", "/usr/bin/env"], { env: { PWD }, encoding: "utf8" });
    assert.equal(byShell.stdout, `PWD=${handedOn({ PWD }).PWD}\n`);
  }
});

story("it runs, fails and is missed as with a shell", async () => {
  program("copy", '#!/bin/sh\ncp "$1" "$2"\n');
  writeFileSync("in put", "x");
  must(await (await run(({ $, inputs, output }) => $`${"./copy"} ${inputs} ${output}`, ["in put"])).ended);
  const failed = await run(({ $, inputs }) => $`cat ${inputs}`, ["not here"]);
  assert.equal(failureOf(await failed.ended, "exit").code, 1);
  const missed = await run(({ $ }) => $`${"no-such-program"} a`);
  assert.equal(failureOf(await missed.ended, "exit").code, 127);
});
