// Says in words what is wrong with Postgres, its tables and the ledger. Knows nothing of streams or colours.
import type { Place } from "../core/failure.js";
import type { PostgresFailure } from "../core/failure-data.js";
import { type Diagnosis, placeText } from "./diagnosis.js";

/** `at` is where the rule is declared that failed. */
export function postgresDiagnosis(failure: PostgresFailure, at?: Place): Diagnosis {
  switch (failure.reason) {
    case "postgres-unreachable":
      return {
        message: `Postgres at \`${failure.server}\` cannot be reached: ${failure.message}`,
        help: "is it running, and is `DATABASE_URL` right? Without `DATABASE_URL` and `PG*` an embedded server is used",
      };
    case "postgres-refused":
      return refused(failure);
    case "postgres-lost":
      return {
        message: `the connection to Postgres at \`${failure.server}\` was lost: ${failure.message}`,
        help: "nothing half done is visible: run the same command again",
      };
    case "postgres-error": {
      const { code, message, detail, hint, doing } = failure;
      const notes = [...(detail ? [detail] : []), ...(hint ? [hint] : [])];
      return { message: `Postgres refused to ${doing}: ${message} (${code})`, notes };
    }
    case "embedded-unavailable":
      return { message: `the embedded Postgres cannot be used: ${failure.problem}`, help: failure.help };
    case "ledger-newer":
      return {
        message: `the ledger in schema \`dmake\` has version ${failure.found}, this dmake knows ${failure.known}`,
        help: "use the newer dmake that made it",
      };
    case "table-shape":
      return tableShape(failure, at);
    case "sql-error":
      return sqlError(failure);
    case "partition-column-taken": {
      const { table, column, file } = failure;
      const message = `\`${file}\` has a column \`${column}\`, which is also the partition column of \`${table}\``;
      const help =
        `if each of its rows holds the partition's value, say that it is the same column: \`partitionColumn: "${column}"\`; ` +
        `otherwise name the partition column otherwise: \`partitionColumn: "${column}_key"\``;
      return { message, help };
    }
    case "lock-timeout":
      return {
        message: `\`${failure.target}\` stayed locked by somebody else for ${Math.round(failure.waitedMs / 1000)} s`,
        help: "who holds it: `dmake sql 'select * from pg_stat_activity'`",
      };
    case "rows-lost": {
      const { table, expected, found } = failure;
      return {
        message: `\`${table}\` would have ${found} rows where ${expected} were sent: nothing was published`,
      };
    }
  }
}

function tableShape(failure: Extract<PostgresFailure, { reason: "table-shape" }>, at?: Place): Diagnosis {
  const { table, differences, help, contract } = failure;
  const about = { notes: differences };
  if (contract === undefined) return { ...about, message: `\`${table}\` does not fit the data`, help };
  const place = at ? ` in ${placeText({ file: at.file, line: at.line })}` : "";
  const change = `change \`contract: "${contract}"\`${place}`;
  return {
    ...about,
    message: `\`${table}\` does not fit the data, and its contract is \`${contract}\``,
    help: help === "" ? change : `${change}, or ${help}`,
  };
}

/** In a file of its own the place is there; of a text in the Datafile it is that of the rule, and the line says the rest. */
function sqlError(failure: Extract<PostgresFailure, { reason: "sql-error" }>): Diagnosis {
  const { file, line, column, text, code, message, detail, hint } = failure;
  const at = file !== undefined && { at: { file, line: line ?? 1, ...(column !== undefined && { column }) } };
  return {
    message: `Postgres refuses the statement: ${message} (${code})`,
    ...at,
    ...(text !== undefined && { lineText: text, ...(column !== undefined && { caret: column }) }),
    ...(detail !== undefined && { notes: [detail] }),
    ...(hint !== undefined && { help: hint.charAt(0).toLowerCase() + hint.slice(1).replace(/\.$/, "") }),
  };
}

function refused(failure: Extract<PostgresFailure, { reason: "postgres-refused" }>): Diagnosis {
  const { server, user, database, code, message } = failure;
  if (code === "28P01" || code === "28000")
    return {
      message: `Postgres at \`${server}\` does not let user \`${user}\` in: ${message}`,
      help: "check user and password in `DATABASE_URL`, or `PGUSER` and `PGPASSWORD`",
    };
  if (code === "3D000")
    return {
      message: `Postgres at \`${server}\` has no database \`${database}\``,
      help: `\`createdb ${database}\``,
    };
  return { message: `Postgres at \`${server}\` refused: ${message} (${code})` };
}
