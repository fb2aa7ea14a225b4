// Writes a piece of code in one way, whatever types, comments and line breaks it had. Knows nothing of names or modules.
import type { parse as Parse } from "@babel/parser";
import type { transform as Transform } from "esbuild";

export interface Writing {
  readonly parse: typeof Parse;
  readonly transform: typeof Transform;
}

/** Literals that are wider are written one entry a line, so that a difference in them is one. */
const width = 80;

/** The text of a piece of TypeScript that is whole in itself; nothing where the compiler cannot read it out of its context. */
export async function canonical(code: string, { parse, transform }: Writing): Promise<string | undefined> {
  const options = { legalComments: "none", charset: "utf8", treeShaking: false, target: "esnext" } as const;
  try {
    // The line breaks in literals, calls and `if`s are kept by the printer, so they are taken out before.
    const dense = await transform(code, { ...options, loader: "ts", minifyWhitespace: true });
    const broken = breakWide(dense.code, parse);
    return (await transform(broken, { ...options, loader: "js" })).code.trimEnd();
  } catch (error) {
    if (Array.isArray((error as { errors?: unknown }).errors)) return undefined;
    throw error;
  }
}

function breakWide(code: string, parse: typeof Parse): string {
  if (code.length <= width) return code;
  const breaks: number[] = [];
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) for (const one of node) visit(one);
    else if (isNode(node)) {
      if (/^(Array|Object)Expression$/.test(node.type) && node.end - node.start > width)
        breaks.push(node.start + 1);
      for (const child of Object.values(node)) if (typeof child === "object") visit(child);
    }
  };
  visit(parsed(code, parse));
  let text = code;
  for (const at of breaks.sort((one, other) => other - one)) text = `${text.slice(0, at)}\n${text.slice(at)}`;
  return text;
}

/** Nothing where Babel knows less than the compiler. */
function parsed(code: string, parse: typeof Parse): unknown {
  try {
    return parse(code, { sourceType: "module", errorRecovery: true, plugins: ["decorators"] }).program.body;
  } catch {
    return undefined;
  }
}

const isNode = (
  value: unknown,
): value is { readonly type: string; readonly start: number; readonly end: number } =>
  typeof value === "object" && value !== null && "type" in value && "start" in value;

/** The text between two places without its comments: a line break stays where one was, since it may end a statement. */
export function withoutComments(
  text: string,
  [start, end]: readonly [number, number],
  comments: readonly (readonly [number, number])[],
): string {
  let result = "";
  let from = start;
  for (const [begin, finish] of comments) {
    if (begin < from || finish > end) continue;
    result += text.slice(from, begin) + (/[\n\r\u2028\u2029]/.test(text.slice(begin, finish)) ? "\n" : " ");
    from = finish;
  }
  return result + text.slice(from, end);
}
