// Says every failure in words: what, where, and what to do. The one author of messages. Knows nothing of streams or colours.
import type { DatafileFailure, Failure, Place, UsageFailure } from "../core/failure.js";
import { dataDiagnosis, downloadDiagnosis } from "./diagnose-data.js";
import { postgresDiagnosis } from "./diagnose-postgres.js";
import { recipeDiagnosis } from "./diagnose-recipe.js";
import { ruleDiagnosis } from "./diagnose-rule.js";
import { type Diagnosis, messageText, namesText } from "./diagnosis.js";
import { onOneLine } from "./words.js";

/** The whole message, some lines, without a line end. `at` is where the rule is declared that failed. */
export const diagnose = (failure: Failure, at?: Place): string =>
  messageText("error", diagnosisOf(failure), at);

/** The message alone, on one line. */
export const diagnoseInShort = (failure: Failure): string => onOneLine(diagnosisOf(failure).message);

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
    case "overlap":
    case "needs-manifest":
    case "glob-empty":
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
    case "output-kind":
    case "need-failed":
    case "undeclared-input":
    case "bad-depfile":
    case "changed-while-read":
    case "wrote-final-path":
    case "locked":
    case "recursion":
    case "lock-lost":
    case "timed-out":
    case "interrupted":
    case "io":
      return recipeDiagnosis(failure);
  }
}

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
