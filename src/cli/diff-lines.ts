// The difference of two texts, line by line, as people read it. Knows nothing of what the texts are.
import { structuredPatch } from "diff";

/** Beyond this the difference is not looked for: everything goes and everything comes. */
const longestMs = 2_000;

/** Lines that begin with ` `, `-` or `+`, two around each change; between two changes that are far apart, `…`. */
export function diffLines(before: string, after: string): readonly string[] {
  const [old, now] = [before, after].map((text) => (text.endsWith("\n") ? text : `${text}\n`)) as [
    string,
    string,
  ];
  const patch = structuredPatch("", "", old, now, "", "", { context: 2, timeout: longestMs });
  if (patch) return patch.hunks.flatMap(({ lines }, i) => (i === 0 ? lines : ["…", ...lines]));
  const all = (mark: string, text: string) =>
    text
      .split("\n")
      .slice(0, -1)
      .map((line) => mark + line);
  return [...all("-", old), ...all("+", now)];
}
