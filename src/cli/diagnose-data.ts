// Says in words what is wrong with downloads and data files. Knows nothing of streams or colours.
import type { DataFailure, DownloadFailure, Reject } from "../core/failure-data.js";
import type { Diagnosis } from "./diagnosis.js";
import { onOneLine } from "./words.js";

export function downloadDiagnosis(failure: DownloadFailure): Diagnosis {
  switch (failure.reason) {
    case "unsupported-url":
      if (failure.problem !== undefined)
        return { message: `\`${failure.url}\` cannot be downloaded: ${failure.problem}` };
      return {
        message: `\`${failure.url}\` cannot be downloaded`,
        help: "`https:`, `http:` and `file:` URLs can",
      };
    case "source-missing":
      return { message: `\`${failure.path}\` is not there (from \`${failure.url}\`)` };
    case "download-status": {
      const { url, status, statusText, attempts } = failure;
      const tried = attempts > 1 ? `, ${attempts} times` : "";
      return {
        message: `\`${url}\` answered ${status} ${statusText}`.trimEnd() + tried,
        ...statusHelp(status),
      };
    }
    case "download-network": {
      const tried = failure.attempts > 1 ? ` (tried ${failure.attempts} times)` : "";
      return { message: `\`${failure.url}\`: ${failure.message}${tried}` };
    }
    case "download-redirects": {
      const { url, hops, backAt } = failure;
      const circle = `\`${url}\` redirects in a circle: redirect ${hops} leads back to \`${backAt}\``;
      return { message: backAt === undefined ? `\`${url}\` redirects more than ${hops} times` : circle };
    }
    case "download-redirect-refused":
      return { message: `\`${failure.url}\` redirects ${failure.problem}, to \`${failure.to}\`: refused` };
    case "download-incomplete": {
      const { url, expectedBytes, receivedBytes, attempts } = failure;
      const tried = attempts > 1 ? ` (tried ${attempts} times)` : "";
      return {
        message: `\`${url}\` sent ${receivedBytes} bytes where it announced ${expectedBytes}${tried}`,
      };
    }
    case "download-not-data": {
      const { url, expected, found, head } = failure;
      const notes = head === "" ? [] : [`it begins: ${JSON.stringify(head)}`];
      return {
        message: `\`${url}\` sent ${formatText(found)}, not ${formatText(expected)}`,
        notes,
        help: "open the URL in a browser: it may ask for a login, or be gone",
      };
    }
    case "digest-mismatch": {
      const { url, expected, found } = failure;
      const notes = [`expected ${expected}`, `found    ${found}`];
      return { message: `\`${url}\` has other bytes than its \`sha256\` says`, notes };
    }
  }
}

function statusHelp(status: number): { readonly help?: string } {
  if (status === 401 || status === 403) return { help: "give credentials in `headers`, or in the URL" };
  if (status === 404 || status === 410) return { help: "is the month published, and the URL right?" };
  return {};
}

export function dataDiagnosis(failure: DataFailure): Diagnosis {
  switch (failure.reason) {
    case "not-that-format": {
      const expected = formatText(failure.expected);
      const found = formatText(failure.found);
      // `gzip that ends in the middle` is gzip all the same.
      const instead = found.split(" ").includes(expected) ? "" : `, not ${expected}`;
      return { message: `\`${failure.file}\` is ${found}${instead}` };
    }
    case "empty-file":
      return { message: `\`${failure.file}\` is empty: ${failure.expected} was expected` };
    case "bad-row": {
      const { file, line, text, problem } = failure;
      return {
        message: `${lineOf(file, line)}: ${problem}`,
        ...(text !== undefined && { notes: [`${JSON.stringify(clipped(text))}`] }),
      };
    }
    case "bad-value":
      return badValue(failure);
    case "unknown-column": {
      const { file, column, known } = failure;
      return {
        message: `\`${file}\` has no column \`${column}\``,
        help: `it has ${known.map((name) => `\`${name}\``).join(", ")}`,
      };
    }
    case "duplicate-column":
      return {
        message: `\`${failure.file}\` has two columns \`${failure.column}\``,
        ...(failure.help !== undefined && { help: failure.help }),
      };
    case "bad-option":
      return { message: `\`${failure.file}\`: \`csv.${failure.option}\` ${failure.problem}` };
    case "too-many-rejects":
      return tooManyRejects(failure);
    case "unsupported-type": {
      const { file, column, type, help } = failure;
      return {
        message: `column \`${column}\` of \`${file}\` is of type \`${type}\`, which cannot be used here`,
        ...(help && { help }),
      };
    }
    case "data-engine":
      return { message: `\`${failure.file}\`: ${clipped(failure.message)}` };
  }
}

function tooManyRejects({
  file,
  maxRejects,
  rows,
  first,
}: Extract<DataFailure, { reason: "too-many-rejects" }>): Diagnosis {
  const found = `${rows.toLocaleString("en-US")} ${rows === 1 ? "row" : "rows"}`;
  return {
    message: `${found} of \`${file}\` ${rows === 1 ? "does" : "do"} not fit, and \`maxRejects\` allows ${maxRejects}: nothing was loaded`,
    notes: [`the first: ${rejectText(first)}`],
    help: `correct the file, or allow more: \`maxRejects: ${roundedUp(rows)}\``,
  };
}

/** Some more than there were, in one digit: those that come after the last that was looked at may not fit either. */
function roundedUp(rows: number): number {
  const unit = 10 ** (String(rows).length - 1);
  return (Math.floor(rows / unit) + 1) * unit;
}

/** One row that was set aside: where it is, what it holds, what is wrong with that. */
export function rejectText({ line, row, column, value, reason }: Reject): string {
  const where = [
    ...(line === undefined ? [] : [`line ${line}`]),
    ...(line === undefined && row !== undefined ? [`row ${row}`] : []),
    ...(column === undefined ? [] : [`column \`${onOneLine(column)}\``]),
  ].join(", ");
  const said =
    value === undefined ? reason : `${value === "" ? "an empty text" : `\`${onOneLine(value)}\``}: ${reason}`;
  return where === "" ? said : `${where}: ${said}`;
}

/** The short names of formats as a person says them. */
function formatText(name: string): string {
  const said: Readonly<Record<string, string>> = {
    html: "an HTML page",
    xml: "an XML page",
    json: "JSON",
    csv: "CSV",
    pdf: "a PDF",
    binary: "binary data",
    empty: "an empty file",
    "git-lfs pointer": "a Git LFS pointer",
  };
  return said[name] ?? name;
}

type BadValue = Extract<DataFailure, { reason: "bad-value" }>;

function badValue(failure: BadValue): Diagnosis {
  const { file, line, column, text, type, problem = "" } = failure;
  const [, row, told = problem] = /^row (\d+) (.*)$/s.exec(problem) ?? [];
  const where = row === undefined ? lineOf(file, line) : `\`${file}\`, row ${row}`;
  const value = text === "" ? "an empty text" : `\`${clipped(text)}\``;
  const message = `${where}, column \`${column}\`: ${value} ${misfitText(type, told)}`;
  const help = badValueHelp(failure);
  return { message, ...(help !== undefined && { help }) };
}

/** `problem` is a sentence of its own, a place, or says with a verb what the value does. */
function misfitText(type: string, problem: string): string {
  if (problem === "") return `is no ${type}`;
  if (problem.startsWith("in row ")) return `is no ${type} (${problem})`;
  return /^(it|its|the|day) /.test(problem) ? `is no ${type}: ${problem}` : problem;
}

function badValueHelp({ column, text, type, problem = "" }: BadValue): string | undefined {
  // The file has its type; it is the table that refuses.
  if (problem.includes("the table's")) return "correct the value, or change the table with ALTER TABLE";
  if (problem.includes("NUL") || text.includes("\0")) return undefined;
  if (/^(varchar|text|character|jsonb?)\b/i.test(type)) return undefined;
  // Of a merge: no type of its columns tells two such rows apart.
  if (type === "key") return "name more columns in `key`, or leave one of these rows out of the file";
  const wider = widerThan(type, text.trim());
  return `if the column holds such values, say so: \`columns: { ${JSON.stringify(column)}: "${wider}" }\``;
}

/** A type that keeps `text` whole, as well as all values of `type`. */
function widerThan(type: string, text: string): string {
  const integral = /^U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?$/.test(type);
  const huge = /HUGEINT$/.test(type);
  if (integral && !huge && /^-?(0|[1-9]\d*)$/.test(text)) return integerFor(type, text);
  const digits = text.replace(/[eE].*|\D/g, "").replace(/^0+/, "").length;
  const decimal = /^[+-]?((0|[1-9]\d*)\.\d*|\.\d+|(0|[1-9]\d*)(\.\d*)?[eE][+-]?\d{1,2})$/.test(text);
  // A double keeps 15 digits.
  if (integral && !huge && decimal && digits <= 15) return "DOUBLE";
  return "VARCHAR";
}

function integerFor(type: string, text: string): string {
  if (!/^U?BIGINT$/.test(type) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)) return "BIGINT";
  // Parquet keeps 38 digits.
  return text.replace("-", "").length <= 38 ? "HUGEINT" : "VARCHAR";
}

const lineOf = (file: string, line: number | undefined): string =>
  line === undefined ? `\`${file}\`` : `\`${file}\`, line ${line}`;

const clipped = (text: string): string => (text.length > 300 ? `${text.slice(0, 300)}…` : text);
