// The `$` of shell recipes: a template whose every value becomes one word. Knows nothing of running commands.
import type { Command } from "../core/rule.js";
import { shellWord } from "../core/word.js";

/** A value in a command. A list becomes its elements, each one word. */
export type Word = string | number | readonly (string | number)[] | Command;

/** Puts values into a command's text, each quoted as one word; the text itself is the shell's. */
export type Dollar = (texts: TemplateStringsArray, ...values: readonly Word[]) => Command;

/** Commands that `$` made. Any other object with a `text`, from a parsed file perhaps, is data and never code. */
const commands = new WeakSet<object>();

export const isCommand = (value: unknown): value is Command =>
  typeof value === "object" && value !== null && commands.has(value);

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

export const dollar: Dollar = (texts, ...values) => {
  const words = texts.map((text, i) => {
    // JavaScript leaves out a text with an escape that it does not know, as `\1` of sed.
    if (text === undefined)
      throw new Error(
        `a backslash that JavaScript cannot read: write it twice in \`${texts.raw[i]?.trim()}\``,
      );
    return text + (i < values.length ? wordOf(values[i]) : "");
  });
  const command: Command = { text: words.join("") };
  commands.add(command);
  return command;
};
