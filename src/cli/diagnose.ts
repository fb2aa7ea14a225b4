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
  messageText("error", diagnosisOf(failure, at), at);

/** The message alone, on one line. */
export const diagnoseInShort = (failure: Failure): string => onOneLine(diagnosisOf(failure).message);

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

type Authors = {
  readonly [R in Failure["reason"]]: (failure: Extract<Failure, { reason: R }>, at?: Place) => Diagnosis;
};

/** Reason → who words it. */
const authors: Authors = {
  usage: usageDiagnosis,
  "unknown-parameter": usageDiagnosis,
  "no-datafile": datafileDiagnosis,
  "datafile-syntax": datafileDiagnosis,
  "datafile-import": datafileDiagnosis,
  "datafile-threw": datafileDiagnosis,
  "nothing-to-build": datafileDiagnosis,
  "bad-pattern": ruleDiagnosis,
  "bad-rule": ruleDiagnosis,
  "unbound-wildcard": ruleDiagnosis,
  "outside-root": ruleDiagnosis,
  "two-producers": ruleDiagnosis,
  ambiguous: ruleDiagnosis,
  overlap: ruleDiagnosis,
  "needs-manifest": ruleDiagnosis,
  "glob-empty": ruleDiagnosis,
  cycle: ruleDiagnosis,
  "no-rule": ruleDiagnosis,
  "unsupported-url": downloadDiagnosis,
  "source-missing": downloadDiagnosis,
  "download-status": downloadDiagnosis,
  "download-network": downloadDiagnosis,
  "download-redirects": downloadDiagnosis,
  "download-redirect-refused": downloadDiagnosis,
  "download-incomplete": downloadDiagnosis,
  "download-not-data": downloadDiagnosis,
  "digest-mismatch": downloadDiagnosis,
  "not-that-format": dataDiagnosis,
  "empty-file": dataDiagnosis,
  "bad-row": dataDiagnosis,
  "bad-value": dataDiagnosis,
  "unknown-column": dataDiagnosis,
  "duplicate-column": dataDiagnosis,
  "bad-option": dataDiagnosis,
  "too-many-rejects": dataDiagnosis,
  "unsupported-type": dataDiagnosis,
  "data-engine": dataDiagnosis,
  "postgres-unreachable": postgresDiagnosis,
  "postgres-refused": postgresDiagnosis,
  "postgres-lost": postgresDiagnosis,
  "postgres-error": postgresDiagnosis,
  "embedded-unavailable": postgresDiagnosis,
  "ledger-newer": postgresDiagnosis,
  "table-shape": postgresDiagnosis,
  "sql-error": postgresDiagnosis,
  "partition-column-taken": postgresDiagnosis,
  "lock-timeout": postgresDiagnosis,
  "rows-lost": postgresDiagnosis,
  exit: recipeDiagnosis,
  "cannot-run": recipeDiagnosis,
  threw: recipeDiagnosis,
  "output-missing": recipeDiagnosis,
  "output-kind": recipeDiagnosis,
  "need-failed": recipeDiagnosis,
  "undeclared-input": recipeDiagnosis,
  "bad-depfile": recipeDiagnosis,
  "changed-while-read": recipeDiagnosis,
  "wrote-final-path": recipeDiagnosis,
  locked: recipeDiagnosis,
  recursion: recipeDiagnosis,
  "lock-lost": recipeDiagnosis,
  "timed-out": recipeDiagnosis,
  interrupted: recipeDiagnosis,
  io: recipeDiagnosis,
};

const diagnosisOf = (failure: Failure, at?: Place): Diagnosis =>
  (authors[failure.reason] as (failure: Failure, at?: Place) => Diagnosis)(failure, at);
