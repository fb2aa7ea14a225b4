// Says what is wrong with the options that a CSV is to be read with. Knows nothing of any file.
import type { CsvOptions } from "./rule.js";

export interface BadOption {
  readonly option: string;
  /** As `must be one character`. */
  readonly problem: string;
}

const known: ReadonlySet<string> = new Set<keyof CsvOptions>([
  "delimiter",
  "quote",
  "header",
  "nulls",
  "encoding",
  "dateFormat",
  "timestampFormat",
  "skip",
  "comment",
  "names",
  "thousands",
  "decimal",
]);

/** More lines than any preamble has: who skips more has counted rows. */
const mostSkipped = 1_000_000;

/** The first option that cannot be meant, whatever the file. Takes nothing of its types for granted: nobody may have compiled them. */
export function badCsvOption(csv: CsvOptions): BadOption | undefined {
  const unknown = Object.keys(csv).find((name) => !known.has(name));
  if (unknown !== undefined)
    return { option: unknown, problem: `is no option: they are ${[...known].join(", ")}` };
  for (const [option, problem] of problemsOf(csv))
    if (problem !== undefined && csv[option] !== undefined) return { option, problem };
  return undefined;
}

type Problems = Generator<readonly [keyof CsvOptions, string | undefined]>;

function* problemsOf(csv: CsvOptions): Problems {
  const { header, nulls, encoding, skip, names } = csv;
  yield* characterProblems(csv);
  yield ["header", typeof header === "boolean" ? undefined : "must be true or false"];
  yield ["nulls", areTexts(nulls) ? undefined : "must be a list of texts without NUL"];
  yield ["nulls", nullsProblem(csv)];
  const isEncoding = encoding === "utf-8" || encoding === "latin-1" || encoding === "utf-16";
  yield ["encoding", isEncoding ? undefined : 'must be "utf-8", "latin-1" or "utf-16"'];
  yield ["dateFormat", formatProblem(csv.dateFormat)];
  yield ["timestampFormat", formatProblem(csv.timestampFormat)];
  const isCount = Number.isInteger(skip) && skip! >= 0 && skip! <= mostSkipped;
  yield ["skip", isCount ? undefined : `must be a whole number of lines from 0 to ${mostSkipped}`];
  yield ["names", namesProblem(names)];
  // The first row would be taken for a header and be lost, and no name says whether it is one.
  const headed = header !== undefined;
  yield [
    "names",
    headed ? undefined : "want `header` beside them: true where the first row is to be passed over, or false",
  ];
}

/** The characters that take a text apart must all be different ones. */
function* characterProblems({
  delimiter,
  quote = '"',
  comment,
  thousands,
  decimal = ".",
}: CsvOptions): Problems {
  yield ["delimiter", isCharacter(delimiter) ? undefined : "must be one character, and no line end"];
  const quotes = quote === "" || (isCharacter(quote) && isAscii(quote));
  yield ["quote", quotes ? undefined : "must be one ASCII character, or empty where nothing quotes"];
  yield ["quote", quote === (delimiter ?? "") && quote !== "" ? "is the delimiter too" : undefined];
  const comments = isCharacter(comment) && isAscii(comment);
  yield ["comment", comments ? undefined : "must be one ASCII character"];
  const taken = comment === delimiter ? "delimiter" : comment === quote ? "quote" : undefined;
  yield ["comment", taken && `is the ${taken} too`];
  yield ["decimal", decimal === "." || decimal === "," ? undefined : 'must be "." or ","'];
  const groups = isCharacter(thousands) && !/[\p{L}\p{N}+\-"]/u.test(thousands);
  yield ["thousands", groups ? undefined : "must be one character, and no letter, digit, sign or quote"];
  yield [
    "thousands",
    thousands === decimal ? "is the decimal character too: say `decimal` as well" : undefined,
  ];
}

const isAscii = (text: string): boolean => text.charCodeAt(0) < 0x80;

const isCharacter = (text: unknown): text is string =>
  typeof text === "string" && [...text].length === 1 && !/[\r\n\0]/.test(text);

const areTexts = (list: unknown): list is readonly string[] =>
  Array.isArray(list) && list.every((text) => typeof text === "string" && !text.includes("\0"));

/** DuckDB refuses such. */
function nullsProblem({ nulls = [], delimiter, quote = '"' }: CsvOptions): string | undefined {
  const holds = (mark = "") => mark !== "" && nulls.some((text) => text.includes(mark));
  if (holds(delimiter)) return `must not hold the delimiter \`${delimiter}\``;
  return holds(quote) ? `must not hold the quote \`${quote}\`` : undefined;
}

const formatProblem = (format: unknown): string | undefined =>
  typeof format === "string" && format.includes("%") && !format.includes("\0")
    ? undefined
    : "must be a format as strptime takes it, as `%d/%m/%Y`";

function namesProblem(names: unknown): string | undefined {
  if (!areTexts(names) || names.length === 0 || names.some((name) => name.trim() === ""))
    return "must be a list of names, none of them empty";
  const seen = new Set<string>();
  for (const name of names) {
    // DuckDB takes `A` and `a` for one name.
    if (seen.has(name.trim().toLowerCase())) return `has \`${name}\` twice`;
    seen.add(name.trim().toLowerCase());
  }
  return undefined;
}
