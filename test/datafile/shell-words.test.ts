// Values in commands: one word each, whatever they hold, or refused where the command's own quotes would set them free. Told through a real shell.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { dollar } from "../../src/datafile/shell.js";
import { slotsOf } from "../../src/datafile/shell-slots.js";
import { commandOf, inProject } from "../rig/datafile.js";
import { holds } from "../rig/property.js";
import { must } from "../rig/world.js";

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dmake-words-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** As the recipe's runner starts it. */
const run = (command: string, cwd: string) =>
  spawnSync("/bin/sh", ["-e", "-c", "--", command], { cwd, encoding: "utf8" });

/** A template of the Datafile, with a value at each `@`. */
function template(text: string): TemplateStringsArray {
  const texts = text.split("@");
  return Object.assign(texts, { raw: texts });
}

const nasty = fc.oneof(
  fc.constantFrom(
    ..."' '' \" \\ $ $(touch%freed) `touch%freed` ; & && | > < * ? [a] { } # ! ~ - -rf -- = a=b % \t".split(
      " ",
    ),
  ),
  fc.constantFrom(
    "",
    " ",
    "\n",
    "a\nb",
    "'; touch freed; '",
    '"; touch freed; "',
    "'$(touch freed)'",
    "\ntouch freed\n",
    "\nEOF\ntouch freed\n",
    ")); touch freed; ((",
    "); touch freed; (",
    "}; touch freed; {",
    "a[$(touch freed)]",
    "`touch freed`",
    "\\'; touch freed; \\'",
    "\r\n",
  ),
  fc.string({ maxLength: 8 }),
  fc.string({ unit: "grapheme", maxLength: 8 }),
);
const value = fc
  .array(nasty, { minLength: 1, maxLength: 3 })
  .map((all) => all.join("").replaceAll("%", " ").replaceAll("\0", ""));

test("every value is one word of the command, and every list one word each", async (t) => {
  const cwd = folderFor(t);
  const property = fc.asyncProperty(
    fc.array(value, { minLength: 1, maxLength: 100 }),
    fc.integer(),
    async (values, number) => {
      const [first = ""] = values;
      const { text } = dollar`printf '%s\\0' ${first} ${values} ${number} x${first}y`;
      const { stdout, stderr } = run(text, cwd);
      assert.equal(stderr, "");
      assert.deepEqual(stdout.split("\0").slice(0, -1), [first, ...values, String(number), `x${first}y`]);
    },
  );
  await holds(property, 60);
  assert(!existsSync(join(cwd, "freed")));
});

/** Where a value can stand in a command. */
const places = [
  "printf %s @",
  'printf %s "@"',
  "printf %s '@'",
  'printf %s "a $(printf %s @) b"',
  'printf %s "a $(printf %s "@") b"',
  "printf %s `printf %s @`",
  'printf %s "`printf %s @`"',
  "cat <<EOF\nit's @\nEOF\nprintf %s @",
  "cat <<'EOF'\nit's \"@\"\nEOF\nprintf %s @",
  "cat <<-EOF | cat\n\t@\n\tEOF\nprintf %s @",
  "# it's @\nprintf %s @",
  ": x # it's @\nprintf %s @",
  "printf %s $((@ + 1))",
  "printf %s $(( (1 + @) * 2 ))",
  "printf %s \\@",
  "printf %s $@",
  'x=@; printf %s "$x"',
  "printf %s ${y:-@}",
  'printf %s "${y:-@}"',
  "[ -n @ ] && printf %s @",
  "case @ in a) printf %s @ ;; *) printf %s @ ;; esac",
  "(printf %s @) > @.out",
  "printf %s a#b'c@' @",
  "printf %s \"it's\" @ 'say \"' @",
  "printf %s \\\" @ \\' @",
] as const;

test("a value is what it is wherever it stands, or refused: none of it is ever run", async (t) => {
  const cwd = folderFor(t);
  let [made, refused] = [0, 0];
  const property = fc.asyncProperty(fc.constantFrom(...places), value, async (place, given) => {
    const texts = template(place);
    let command: string;
    try {
      command = dollar(texts, ...texts.slice(1).map(() => given)).text;
    } catch (error) {
      assert.match(String(error), /needs quotes stands (in|after) /);
      refused += 1;
      return;
    }
    made += 1;
    run(command, cwd);
    assert(!existsSync(join(cwd, "freed")), command);
  });
  await holds(property, 800);
  assert(made > 100 && refused > 100, `${made} were made and ${refused} refused`);
});

const word = undefined;
const scanned: readonly (readonly [string, readonly (string | undefined)[]])[] = [
  ["@ a@b @", [word, word, word]],
  ["echo '@' \"@\" @", ["in quotes", "in quotes", word]],
  ["echo 'it'\"'\"'s' @", [word]],
  ['echo "$(cat @)" "@" @', [word, "in quotes", word]],
  ["echo `cat @` @", ["in backticks", word]],
  ['echo "`cat @`" @', ["in backticks", word]],
  ["echo $((@+1)) @ $(( (1+@)*2 )) @", ["in arithmetic", word, "in arithmetic", word]],
  ["# it's @\necho @", ["in a comment", word]],
  ["echo a#b @ $# @ ${#x} @", [word, word, word]],
  ["cat <<A <<B > @\nit's @\nA\n\"@\nB\necho @", [word, "in a here-document", "in a here-document", word]],
  ["cat <<-'END' @\n\tit's @\n\tEND\necho @", [word, "in a here-document", word]],
  ["cat <<\\END\n@\nEND\n@", ["in a here-document", word]],
  ["cat <<A\nA @\n A\nA\n@", ["in a here-document", word]],
  ["cat <<< @", [word]],
  ["echo \\@ \\\\@ \\$@ $@ \\'@", ["after a `\\`", word, word, "after a `$`", word]],
  ['x=${y:-@} "${y:-@}" @', [word, "in quotes", word]],
  ['(cd x; echo @) && for i in $(ls @); do echo "$i" @; done', [word, word, word]],
  ["awk '{ print $1 }' @ | sed -e \"s/a'/b/\" @", [word, word]],
  ['echo "\\"" @ "\\$(" @', [word, word]],
];
for (const [text, slots] of scanned)
  test(`in ${JSON.stringify(text)} is said which values are words`, () => {
    assert.deepEqual(slotsOf(template(text)), slots);
  });

test("where a value would be no word, one that needs no quotes may stand all the same", () => {
  assert.equal(
    dollar`echo "month ${"2021-01"}, ${3} of '${"a/b.csv"}'"`.text,
    "echo \"month 2021-01, 3 of 'a/b.csv'\"",
  );
  assert.equal(dollar`echo $((${2} + 1)) "${[]}"`.text, 'echo $((2 + 1)) ""');
  assert.throws(() => dollar`echo "${["a", "b"]}"`, /stands in quotes/, "two words are not one");
  assert.throws(() => dollar`sh -c "${dollar`echo ${"$(id)"}`}"`, /stands in quotes/, "nor a command a word");
  assert.equal(dollar`echo "$(${dollar`cat ${"a b"}`})"`.text, "echo \"$(cat 'a b')\"");
});

test("what is wrong is said with the place in the command, and what to do", () => {
  const saying = (text: string) => {
    const texts = template(text);
    try {
      return dollar(texts, "a b").text;
    } catch (error) {
      return String(error);
    }
  };
  assert.equal(
    saying('psql -c "select @"'),
    'Error: a value that needs quotes stands in quotes, at `psql -c "select${…}`, where it would be no word of its own: leave out those quotes, as `$` sets them itself, or give the value to a variable before',
  );
  assert.match(saying("echo `cat @`"), /stands in backticks.*write `\$\(…\)` instead of backticks$/);
  assert.match(saying("cat <<END\n@\nEND\n"), /in a here-document.*give it to a variable before/);
});

test("a number before `>` is a word, and no number of a stream", (t) => {
  const cwd = folderFor(t);
  const { text } = dollar`echo ${2}>${"out"}; echo ${[1, 2]}>>${"out"}; echo ${2} >> ${"out"}`;
  assert.equal(text, "echo '2'>out; echo 1 '2'>>out; echo 2 >> out");
  assert.deepEqual([run(text, cwd).stdout, readFileSync(join(cwd, "out"), "utf8")], ["", "2\n1 2\n2\n"]);
});

test("a path that begins with `-` is no option of any command", (t) =>
  inProject(async (project) => {
    const text = `
      import { sh } from "dmake";
      sh("-n {a}.csv", { from: ["-rf", "--", "-x/{a}"] }, ({ $, inputs, output, params }) =>
        $\`cat \${inputs} > \${output}; printf %s \${params.a} >> \${output}\`);
    `;
    const command = commandOf(must(await project.datafile(text)), "-n a'b.csv");
    assert.equal(
      command,
      `cat ./-rf ./-- './-x/a'\\''b' > './-n a'\\''b.csv'; printf %s 'a'\\''b' >> './-n a'\\''b.csv'`,
    );
    const cwd = folderFor(t);
    for (const name of ["-rf", "--"]) writeFileSync(join(cwd, name), `${name}\n`);
    const { stderr } = run(command.replace("'./-x/a'\\''b'", ""), cwd);
    assert.deepEqual([stderr, readFileSync(join(cwd, "-n a'b.csv"), "utf8")], ["", "-rf\n--\na'b"]);
  }));
