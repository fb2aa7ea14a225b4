// Says every failure in words: what, where, and what to do. The one author of messages. Knows nothing of streams or colours.
import { isAbsolute, relative } from "node:path";
import type {
  DatafileFailure,
  Failure,
  Place,
  RecipeFailure,
  RuleFailure,
  UsageFailure,
} from "../core/failure.js";
import { dataDiagnosis, downloadDiagnosis } from "./diagnose-data.js";
import { postgresDiagnosis } from "./diagnose-postgres.js";

/** A failure in words. Lower case, names in backticks, no full stop. */
export interface Diagnosis {
  readonly message: string;
  readonly at?: Place;
  /** The line of the user's text that `at` points into. */
  readonly lineText?: string;
  /** Further lines, each a sentence of its own. */
  readonly notes?: readonly string[];
  /** What to do; where it can be pasted, it is in backticks. */
  readonly help?: string;
}

/** The whole message, some lines, without a line end. `at` is where the rule is declared that failed. */
export function diagnose(failure: Failure, at?: Place): string {
  const diagnosis = diagnosisOf(failure);
  const place = diagnosis.at ?? at;
  const lines = [`error: ${diagnosis.message}`];
  if (place) lines.push(`  --> ${placeText(place)}`);
  if (diagnosis.lineText !== undefined) lines.push(...excerpt(diagnosis.lineText, place));
  for (const note of diagnosis.notes ?? []) lines.push(`  ${note}`);
  if (diagnosis.help !== undefined) lines.push(`help: ${diagnosis.help}`);
  return lines.join("\n");
}

function placeText({ file, line, column }: Place): string {
  const name = isAbsolute(file) ? relative(process.cwd(), file) : file;
  return [name, line, ...(column === undefined ? [] : [column])].join(":");
}

function excerpt(text: string, place: Place | undefined): string[] {
  const shown = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  const lines = [`   | ${shown}`];
  if (place?.column !== undefined && place.column <= 200)
    lines.push(`   | ${shown.slice(0, place.column - 1).replace(/\S/g, " ")}^`);
  return lines;
}

function diagnosisOf(failure: Failure): Diagnosis {
  switch (failure.reason) {
    case "usage":
    case "unknown-parameter":
      return usageDiagnosis(failure);
    case "no-datafile":
    case "datafile-syntax":
    case "datafile-import":
    case "datafile-threw":
    case "nothing-to-build":
      return datafileDiagnosis(failure);
    case "bad-pattern":
    case "bad-rule":
    case "unbound-wildcard":
    case "outside-root":
    case "two-producers":
    case "ambiguous":
    case "cycle":
    case "no-rule":
      return ruleDiagnosis(failure);
    case "unsupported-url":
    case "source-missing":
    case "download-status":
    case "download-network":
    case "download-redirects":
    case "download-redirect-refused":
    case "download-incomplete":
    case "download-not-data":
    case "digest-mismatch":
      return downloadDiagnosis(failure);
    case "not-that-format":
    case "empty-file":
    case "bad-row":
    case "bad-value":
    case "unknown-column":
    case "duplicate-column":
    case "unsupported-type":
    case "data-engine":
      return dataDiagnosis(failure);
    case "postgres-unreachable":
    case "postgres-refused":
    case "postgres-lost":
    case "postgres-error":
    case "embedded-unavailable":
    case "ledger-newer":
    case "table-shape":
    case "partition-column-taken":
    case "lock-timeout":
    case "rows-lost":
      return postgresDiagnosis(failure);
    case "exit":
    case "cannot-run":
    case "threw":
    case "output-missing":
    case "wrote-final-path":
    case "interrupted":
    case "io":
      return recipeDiagnosis(failure);
  }
}

/** ``, as `a`, `b` ``; nothing for an empty list. */
const namesText = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");

function usageDiagnosis(failure: UsageFailure): Diagnosis {
  switch (failure.reason) {
    case "usage":
      return { message: failure.message, ...(failure.help && { help: pasted(failure.help) }) };
    case "unknown-parameter": {
      const { name, known } = failure;
      const help =
        known.length > 0
          ? `it declares ${namesText(known)}`
          : `declare it: \`const ${name} = param("${name}", "…")\``;
      return { message: `the Datafile has no parameter \`${name}\``, help };
    }
  }
}

const pasted = (help: string): string => (/^dmake /.test(help) ? `\`${help}\`` : help);

function datafileDiagnosis(failure: DatafileFailure): Diagnosis {
  switch (failure.reason) {
    case "no-datafile": {
      const { directory, looked, above } = failure;
      const help = above
        ? `there is one above: \`dmake -C ${above}\``
        : "write a `Datafile.ts` here, or name a folder that has one with `dmake -C FOLDER`";
      return { message: `no Datafile in \`${directory}\` (looked for ${namesText(looked)})`, help };
    }
    case "datafile-syntax":
      return { ...failure, message: `the Datafile cannot be read: ${lowerFirst(failure.message)}` };
    case "datafile-import":
      return importDiagnosis(failure);
    case "datafile-threw":
      return { ...failure, message: `the Datafile threw: ${failure.message}` };
    case "nothing-to-build": {
      const { file, goals } = failure;
      const help =
        goals.length > 0 ? `name a target or one of ${namesText(goals)}` : "export a rule, or name a target";
      return { message: `\`${file}\` has no default export, so a bare \`dmake\` builds nothing`, help };
    }
  }
}

function importDiagnosis(failure: Extract<DatafileFailure, { reason: "datafile-import" }>): Diagnosis {
  const { specifier, name, suggestions = [], at } = failure;
  const place = at && { at };
  if (name !== undefined) {
    const help = suggestions.length > 0 && { help: `did you mean ${namesText(suggestions)}?` };
    return { message: `\`${specifier}\` has no \`${name}\``, ...place, ...help };
  }
  const message = `the Datafile imports \`${specifier}\`, which is not there`;
  // Only a package's own name: npm takes `a/b` for a repository of GitHub, and `dmake` of the registry is a stranger's.
  const [, installed = ""] = /^((?:@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*)(?:\/|$)/.exec(specifier) ?? [];
  if (installed === "dmake")
    return { message, ...place, help: 'everything is in `import { … } from "dmake"`' };
  return { message, ...place, help: installed ? `\`npm install ${installed}\`` : "is its path right?" };
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

function ruleDiagnosis(failure: RuleFailure): Diagnosis {
  switch (failure.reason) {
    case "bad-pattern":
      return { message: `\`${failure.pattern}\`: ${failure.problem}`, at: failure.at };
    case "bad-rule":
      return { message: failure.problem, at: failure.at, ...(failure.help && { help: failure.help }) };
    case "unbound-wildcard": {
      const { wildcard, where, target, at } = failure;
      const help =
        target === ""
          ? "use only wildcards of the target"
          : `\`{${wildcard}}\` must stand in \`${target}\` too`;
      return { message: `${where} uses \`{${wildcard}}\`, which the target does not bind`, at, help };
    }
    case "outside-root": {
      const help = "paths are relative to the Datafile's folder and stay inside it";
      return {
        message: `\`${failure.path}\` is outside the project`,
        help,
        ...(failure.at && { at: failure.at }),
      };
    }
    case "two-producers": {
      const { output, first, second } = failure;
      const notes = [`--> ${placeText(second)}`];
      return {
        message: `two rules make \`${output}\``,
        at: first,
        notes,
        help: "each file has one maker: rename or remove one",
      };
    }
    case "ambiguous": {
      const [first, ...others] = failure.rules;
      const notes = others.map(({ at }) => `--> ${placeText(at)}`);
      const message = `\`${failure.target}\` fits ${failure.rules.map(({ pattern }) => `\`${pattern}\``).join(" and ")} equally well`;
      return {
        message,
        notes,
        help: "narrow one with `where`, or give it more literal text",
        ...(first && { at: first.at }),
      };
    }
    case "cycle":
      return {
        message: `a cycle: ${failure.path.map((name) => `\`${name}\``).join(" needs ")}`,
        at: failure.at,
      };
    case "no-rule":
      return noRuleDiagnosis(failure);
  }
}

function noRuleDiagnosis(failure: Extract<RuleFailure, { reason: "no-rule" }>): Diagnosis {
  const { target, neededBy, at, suggestions, outsideDomain } = failure;
  const needed =
    neededBy === undefined
      ? `nothing makes \`${target}\`, and it is not there`
      : `\`${neededBy}\` needs \`${target}\`, which no rule makes and is not there`;
  if (outsideDomain) {
    const { wildcard, value, domain } = outsideDomain;
    const listed = domain.length > 6 ? [...domain.slice(0, 2), "…", ...domain.slice(-1)] : domain;
    const message = `\`${value}\` is no \`${wildcard}\` of the rule for \`${target}\``;
    return { message, at: outsideDomain.at, help: `it has ${listed.join(", ")}` };
  }
  const help = suggestions.length > 0 ? `did you mean ${namesText(suggestions)}?` : undefined;
  return { message: needed, ...(at && { at }), ...(help && { help }) };
}

function recipeDiagnosis(failure: RecipeFailure): Diagnosis {
  switch (failure.reason) {
    case "exit": {
      const how = failure.signal ? `was ended by ${failure.signal}` : `exited with ${failure.code}`;
      return { message: `the command ${how}`, notes: failure.command.split("\n").map((line) => `$ ${line}`) };
    }
    case "cannot-run":
      return { message: `the command cannot be run: ${failure.message}` };
    case "threw":
      return { message: `the recipe threw: ${failure.message}`, ...(failure.at && { at: failure.at }) };
    case "output-missing":
      return {
        message: `the recipe ended well but did not write \`${failure.output}\``,
        help: "write to `output`, the path that the recipe is given",
      };
    case "wrote-final-path": {
      const help =
        "write to `output`, the path that the recipe is given: dmake puts it in place when it is whole";
      return { message: `\`${failure.output}\` itself changed while its recipe ran`, help };
    }
    case "interrupted":
      return { message: "interrupted" };
    case "io":
      return { message: `cannot ${failure.doing} \`${failure.path}\`: ${ioText(failure.code)}` };
  }
}

function ioText(code: string): string {
  const known: Readonly<Record<string, string>> = {
    ENOSPC: "the disk is full",
    EACCES: "permission denied",
    EPERM: "not permitted",
    EROFS: "the file system is read-only",
    ENOTDIR: "a part of the path is a file",
    EISDIR: "it is a folder",
    EMFILE: "too many open files",
    ENAMETOOLONG: "the name is too long",
    ENOENT: "it is not there",
  };
  return known[code] ? `${known[code]} (${code})` : code;
}
