// A text as one word of a shell, to be run or to be pasted. Knows nothing of commands.

/** Needs no quotes anywhere. With `=` it would be an assignment where a command is expected. */
const plain = /^[A-Za-z0-9_@%+:,./-]+$/;

/** One word for a POSIX shell. No program can be given a NUL: whoever runs the word refuses it before. */
export const shellWord = (text: string): string =>
  plain.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
