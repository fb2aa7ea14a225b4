// The `$` of shell recipes: a template whose every value becomes one word. Knows nothing of running commands.
import type { Command } from "../core/rule.js";

/** A value in a command. A list becomes its elements, each one word. */
export type Word = string | number | readonly (string | number)[] | Command;

/** Puts values into a command's text, each quoted as one word; the text itself is the shell's. */
export type Dollar = (texts: TemplateStringsArray, ...values: readonly Word[]) => Command;

const plain = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** One word for a POSIX shell, whatever it contains. NUL cannot be passed to any program and is refused. */
export function quoteWord(text: string): string {
  if (text.includes("\0")) throw new Error("a value with a NUL character cannot be passed to a command");
  return plain.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A path that a program cannot take for an option. */
export const quotePath = (path: string): string => (path.startsWith("-") ? `./${path}` : path);

const wordOf = (value: Word): string => {
  if (typeof value === "string" || typeof value === "number") return quoteWord(String(value));
  if ("text" in value) return value.text;
  return value.map((one) => quoteWord(String(one))).join(" ");
};

export const dollar: Dollar = (texts, ...values) => ({
  text: texts.map((text, i) => text + (i < values.length ? wordOf(values[i] as Word) : "")).join(""),
});
