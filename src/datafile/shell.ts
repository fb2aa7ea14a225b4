// The `$` of shell recipes: a template whose every value becomes one word. Knows nothing of running commands.
import type { Command } from "../core/rule.js";
import { shellWord } from "../core/word.js";
import { type Slot, slotsOf } from "./shell-slots.js";

/** A value in a command. A list becomes its elements, each one word. */
export type Word = string | number | readonly (string | number)[] | Command;

/**
 * Puts values into a command's text, each quoted as one word; the text itself is the shell's. In quotes of the text, and
 * elsewhere where no word can stand, only values are taken that need no quotes. A value that begins with `-` is one word
 * and still an option to most programs: write `--` before it. Paths of inputs and outputs are no options, as `./-x`.
 */
export type Dollar = (texts: TemplateStringsArray, ...values: readonly Word[]) => Command;

/** A command that `$` made. Any other object with a `text`, from a parsed file perhaps, is data and never code. */
class Made implements Command {
  readonly text: string;
  /** Nobody else can give an object one. */
  readonly #ours = true;

  constructor(text: string) {
    this.text = text;
  }

  static is(value: object): value is Made {
    return #ours in value;
  }
}

export const isCommand = (value: unknown): value is Command =>
  typeof value === "object" && value !== null && Made.is(value);

/** One word for a POSIX shell, whatever it contains. NUL cannot be passed to any program and is refused. */
function quoteWord(text: string): string {
  if (text.includes("\0")) throw new Error("a value with a NUL character cannot be passed to a command");
  return shellWord(text);
}

/** A path that a program cannot take for an option. */
export const quotePath = (path: string): string => (path.startsWith("-") ? `./${path}` : path);

function wordOf(value: unknown): string {
  if (typeof value === "string" || typeof value === "number") return quoteWord(String(value));
  if (isCommand(value)) return value.text;
  if (Array.isArray(value)) return value.map(wordOf).join(" ");
  const shown = typeof value === "object" && value !== null ? "an object" : `\`${String(value)}\``;
  throw new Error(
    `${shown} stands in a command, where a text, a number, a list of them or another \`$\` can`,
  );
}

/** What is the same for each use of one template: a loop may use it 100 000 times. */
interface Template {
  readonly slots: readonly Slot[];
  /** Whether what follows a value directs it elsewhere: `2>` is one sign of the shell, and `'2'>` is not. */
  readonly directs: readonly boolean[];
}

const templates = new WeakMap<TemplateStringsArray, Template>();

function templateOf(texts: TemplateStringsArray): Template {
  const known = templates.get(texts);
  if (known) return known;
  // JavaScript leaves out a text with an escape that it does not know, as `\1` of sed.
  const unread = (texts as readonly (string | undefined)[]).indexOf(undefined);
  if (unread >= 0)
    throw new Error(
      `a backslash that JavaScript cannot read: write it twice in \`${texts.raw[unread]?.trim()}\``,
    );
  const template = {
    slots: slotsOf(texts),
    directs: texts.slice(1).map((text) => text.startsWith("<") || text.startsWith(">")),
  };
  templates.set(texts, template);
  return template;
}

export const dollar: Dollar = (texts, ...values) => {
  const { slots, directs } = templateOf(texts);
  let made = texts[0] ?? "";
  for (let i = 0; i < texts.length - 1 && i < values.length; i += 1) {
    const word = wordOf(values[i]);
    const slot = slots[i];
    if (slot && isUnfit(word, slot)) throw new Error(misplaced(slot, texts[i] ?? ""));
    made += directs[i] ? word.replace(/(?<=^|\s)\d+$/, "'$&'") : word;
    made += texts[i + 1] ?? "";
  }
  return new Made(made);
};

/** Only a line break gets out of a comment. */
const isUnfit = (word: string, slot: NonNullable<Slot>): boolean =>
  slot === "in a comment" ? word.includes("\n") : word !== "" && shellWord(word) !== word;

/** There, the quotes of a value would be characters like any other, and what is in it would be the shell's. */
function misplaced(slot: NonNullable<Slot>, before: string): string {
  const where = `\`${before.trim().slice(-20)}\${…}\``;
  const what = `a value that needs quotes stands ${slot}, at ${where}, where it would be no word of its own`;
  if (slot === "in quotes")
    return `${what}: leave out those quotes, as \`$\` sets them itself, or give the value to a variable before`;
  return slot === "in backticks"
    ? `${what}: write \`$(…)\` instead of backticks`
    : `${what}: give it to a variable before, and use that there`;
}
