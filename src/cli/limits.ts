// How many files this process may have open at once, and how many recipes that is enough for. Knows nothing of what opens them.
import { readFileSync } from "node:fs";

/** `ulimit -n` of this process, or nothing where it cannot be known or has no end. */
export function openFilesLimit(): number | undefined {
  try {
    // `Max open files            1024                 524288               files`: the soft limit, then the hard one.
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return found ? Number(found[1]) : undefined;
  } catch {
    // Not Linux, or the very limit in question is reached.
    return undefined;
  }
}
