// Finds out where in a command's text the values stand: as words of their own, or where quotes would not quote. Knows nothing of the values.

/** Where a value stands when it is no word of its own, as a person would call it; nothing where it is one. */
export type Slot =
  | "in quotes"
  | "in a here-document"
  | "in a comment"
  | "in arithmetic"
  | "in backticks"
  | "after a `\\`"
  | "after a `$`"
  | undefined;

/** What the shell reads a text as, from the outermost in; it ends with `end`. */
type Level =
  | { readonly kind: "code"; readonly end: ")" | "}" | "`" | undefined; depth: number }
  | { readonly kind: "double"; readonly end: '"' | "}" }
  | { readonly kind: "arithmetic"; depth: number };

/** Of the parts of one template, the same list for each call of it. */
const known = new WeakMap<readonly string[], readonly Slot[]>();

/** Where the value after each text stands, but the last. */
export function slotsOf(texts: readonly string[]): readonly Slot[] {
  const found = known.get(texts) ?? new Scanner().scan(texts);
  known.set(texts, found);
  return found;
}

interface HereDocument {
  readonly end: string;
  readonly tabs: boolean;
}

/** What stands for a value while the text around it is read: a character of a word. */
const standIn = "x";

/**
 * Reads as much of the shell's language as decides where a word can be: quotes, substitutions, arithmetic, comments,
 * here-documents. Lives for one template.
 */
class Scanner {
  readonly #levels: Level[] = [{ kind: "code", end: undefined, depth: 0 }];
  /** Whatever is read to its end before anything else counts. */
  #within: "single" | "comment" | HereDocument | undefined;
  #expected: HereDocument[] = [];
  /** Of a here-document, what is read of the line. */
  #line = "";
  #escaped = false;
  #last = "\n";

  scan(texts: readonly string[]): readonly Slot[] {
    return texts.slice(0, -1).map((text) => {
      this.#read(text);
      const slot = this.#slot();
      this.#escaped = false;
      this.#last = standIn;
      this.#line += standIn;
      return slot;
    });
  }

  get #level(): Level {
    const level = this.#levels.at(-1);
    if (!level) throw new Error("bug: the outermost level of a command has ended");
    return level;
  }

  #slot(): Slot {
    if (this.#within === "single") return "in quotes";
    if (this.#within === "comment") return "in a comment";
    if (this.#within) return "in a here-document";
    if (this.#level.kind !== "code") return this.#level.kind === "double" ? "in quotes" : "in arithmetic";
    // What is in backticks is read twice: the first time, no quotes protect a backtick.
    if (this.#levels.some((level) => level.kind === "code" && level.end === "`")) return "in backticks";
    if (this.#escaped) return "after a `\\`";
    return this.#last === "$" ? "after a `$`" : undefined;
  }

  #read(text: string): void {
    for (let i = 0; i < text.length; i += 1) {
      const one = text[i] ?? "";
      if (this.#within) this.#readWithin(one);
      else if (this.#escaped) {
        this.#escaped = false;
        this.#last = standIn;
        continue;
      } else if (one === "\\") this.#escaped = true;
      else if (one === "$" && this.#opens(text.slice(i + 1, i + 3))) {
        i += this.#level.kind === "arithmetic" ? 2 : 1;
        this.#last = text[i] ?? "";
        continue;
      } else if (one === "<" && this.#level.kind === "code" && text.startsWith("<<", i))
        i += this.#expect(text.slice(i));
      else this.#readOne(one);
      this.#last = one;
    }
  }

  #readWithin(one: string): void {
    if (this.#within === "single") {
      if (one === "'") this.#within = undefined;
    } else if (one !== "\n") this.#line += one;
    else if (this.#within === "comment") this.#endLine();
    else {
      const { end, tabs } = this.#within as HereDocument;
      const line = tabs ? this.#line.replace(/^\t+/, "") : this.#line;
      this.#line = "";
      if (line === end) this.#endLine();
    }
  }

  /** Here-documents begin after the line that names them. */
  #endLine(): void {
    this.#line = "";
    this.#within = this.#expected.shift();
  }

  /** Whether what follows a `$` opens a level. */
  #opens(next: string): boolean {
    const { kind } = this.#level;
    if (next === "((") this.#levels.push({ kind: "arithmetic", depth: 2 });
    else if (next.startsWith("(")) this.#levels.push({ kind: "code", end: ")", depth: 0 });
    else if (next.startsWith("{") && kind === "code") this.#levels.push({ kind: "code", end: "}", depth: 0 });
    else if (next.startsWith("{")) this.#levels.push({ kind: "double", end: "}" });
    else return false;
    return true;
  }

  #readOne(one: string): void {
    const level = this.#level;
    if (level.kind === "arithmetic") {
      if (one === "(") level.depth += 1;
      if (one === ")") level.depth -= 1;
      if (level.depth === 0) this.#levels.pop();
    } else if (one === level.end && !(level.kind === "code" && level.depth > 0)) this.#levels.pop();
    else if (one === "`") this.#levels.push({ kind: "code", end: "`", depth: 0 });
    else if (level.kind === "double") return;
    else if (one === "'") this.#within = "single";
    else if (one === '"') this.#levels.push({ kind: "double", end: '"' });
    else if (one === "#" && /[\s;|&()`]/.test(this.#last)) this.#within = "comment";
    else if (one === "\n") this.#endLine();
    else if (one === "(") level.depth += 1;
    else if (one === ")" && level.depth > 0) level.depth -= 1;
  }

  /** Notes the here-document that is named here; answers how many characters more were read. */
  #expect(text: string): number {
    const [whole = "", tabs, , word = ""] = /^<<(-?)[ \t]*(['"\\]?)([^\s'"\\;|&<>()]+)['"]?/.exec(text) ?? [];
    if (whole === "") return 1;
    this.#expected.push({ end: word, tabs: tabs === "-" });
    return whole.length - 1;
  }
}
