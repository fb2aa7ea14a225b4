// Judges parsed statements: which are one query, and which cannot run in the transaction of a load. Pure; knows nothing of texts.
import type { Node } from "libpg-query";

/** Why a statement is refused. */
export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

type Fields = Readonly<Record<string, unknown>>;

const modifying = new Set(["InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"]);

/** Whether it is one SELECT, VALUES or TABLE, with or without WITH, that changes nothing by itself. */
export function isOneQuery(statements: readonly Node[]): boolean {
  const [only, ...others] = statements;
  if (only === undefined || others.length > 0) return false;
  const { SelectStmt: select } = only as { readonly SelectStmt?: Fields };
  return select !== undefined && !isInto(select) && !mentions(only, modifying);
}

/** `SELECT … INTO t` makes a table; of a UNION the first one says so. */
function isInto(select: Fields): boolean {
  if (select.intoClause !== undefined) return true;
  return typeof select.larg === "object" && select.larg !== null && isInto(select.larg as Fields);
}

/** Whether a node of one of these kinds stands anywhere in it. */
function mentions(node: unknown, kinds: ReadonlySet<string>): boolean {
  const waiting: unknown[] = [node];
  while (waiting.length > 0) {
    const one = waiting.pop();
    if (typeof one !== "object" || one === null) continue;
    for (const [name, value] of Object.entries(one)) {
      if (kinds.has(name)) return true;
      waiting.push(value);
    }
  }
  return false;
}

const outside =
  "it cannot run in a transaction, and this is one: the rows and their record become visible together";
const elsewhere = "run it by a `sh` rule with `psql`, after this one";

const refuse = (what: string, why: string, hint?: string): Refusal => ({
  code: "25001",
  message: `\`${what}\` is refused: ${why}`,
  ...(hint !== undefined && { hint }),
});

const transactions: Readonly<Record<string, string>> = {
  TRANS_STMT_BEGIN: "BEGIN",
  TRANS_STMT_START: "START TRANSACTION",
  TRANS_STMT_COMMIT: "COMMIT",
  TRANS_STMT_ROLLBACK: "ROLLBACK",
  TRANS_STMT_SAVEPOINT: "SAVEPOINT",
  TRANS_STMT_RELEASE: "RELEASE SAVEPOINT",
  TRANS_STMT_ROLLBACK_TO: "ROLLBACK TO SAVEPOINT",
  TRANS_STMT_PREPARE: "PREPARE TRANSACTION",
  TRANS_STMT_COMMIT_PREPARED: "COMMIT PREPARED",
  TRANS_STMT_ROLLBACK_PREPARED: "ROLLBACK PREPARED",
};

/** Statements that never run in a transaction. */
const never: Readonly<Record<string, string>> = {
  CreatedbStmt: "CREATE DATABASE",
  DropdbStmt: "DROP DATABASE",
  CreateTableSpaceStmt: "CREATE TABLESPACE",
  DropTableSpaceStmt: "DROP TABLESPACE",
  AlterSystemStmt: "ALTER SYSTEM",
  CreateSubscriptionStmt: "CREATE SUBSCRIPTION",
  DropSubscriptionStmt: "DROP SUBSCRIPTION",
  AlterSubscriptionStmt: "ALTER SUBSCRIPTION",
};

/** Why a statement cannot run, or nothing. What only the server knows, it says itself. */
export function refusalOf(node: Node): Refusal | undefined {
  const [[kind, fields] = ["", {}]] = Object.entries(node) as [string, Fields][];
  switch (kind) {
    case "TransactionStmt": {
      const what = transactions[String(fields.kind)] ?? "a transaction";
      return refuse(
        what,
        "all statements are one transaction, which dmake begins and commits itself",
        "leave it out",
      );
    }
    case "VacuumStmt":
      return fields.is_vacuumcmd === true ? refuse("VACUUM", outside, elsewhere) : undefined;
    case "ClusterStmt":
      return fields.relation === undefined ? refuse("CLUSTER", outside, "name the table") : undefined;
    case "IndexStmt":
      return fields.concurrent === true ? concurrently("CREATE INDEX CONCURRENTLY") : undefined;
    case "DropStmt":
      return fields.concurrent === true ? concurrently("DROP INDEX CONCURRENTLY") : undefined;
    case "ReindexStmt":
      return reindex(fields);
    case "AlterTableStmt":
      return detaches(fields) ? concurrently("DETACH PARTITION … CONCURRENTLY") : undefined;
    case "CopyStmt":
      return copy(fields);
    case "DiscardStmt":
      return refuse("DISCARD", "it would take away what the transaction needs", "leave it out");
    case "VariableSetStmt":
      return setting(fields);
    case "ListenStmt":
      return refuse("LISTEN", "nobody would be there to hear it", "leave it out");
    case "PrepareStmt":
      return refuse("PREPARE", outlives, "write the statement itself");
    case "CreateStmt":
    case "CreateTableAsStmt":
      return temporary(kind === "CreateStmt" ? fields : (fields.into as Fields));
    default:
      return never[kind] === undefined ? undefined : refuse(never[kind], outside, elsewhere);
  }
}

const concurrently = (what: string): Refusal => refuse(what, outside, "leave out `CONCURRENTLY`");

const hasOption = (options: unknown, name: string): boolean =>
  Array.isArray(options) &&
  options.some((one) => (one as { DefElem?: { defname?: string } }).DefElem?.defname === name);

function reindex({ kind, params }: Fields): Refusal | undefined {
  if (hasOption(params, "concurrently")) return concurrently("REINDEX CONCURRENTLY");
  return /SCHEMA|SYSTEM|DATABASE/.test(String(kind)) ? refuse("REINDEX", outside, elsewhere) : undefined;
}

const detaches = ({ cmds }: Fields): boolean =>
  Array.isArray(cmds) &&
  cmds.some(
    ({ AlterTableCmd }: { AlterTableCmd?: { subtype?: string; def?: { PartitionCmd?: Fields } } }) => {
      if (AlterTableCmd?.subtype !== "AT_DetachPartition") return false;
      return AlterTableCmd.def?.PartitionCmd?.concurrent === true;
    },
  );

/** To and from files of the server is the server's affair. */
function copy({ filename, is_program, is_from }: Fields): Refusal | undefined {
  if (filename !== undefined || is_program === true) return undefined;
  return is_from === true
    ? refuse(
        "COPY … FROM STDIN",
        "there is no input to copy from",
        'load the file: table("table:NAME", { from: "x.csv" })',
      )
    : refuse("COPY … TO STDOUT", "nobody would read it", "write a file by a `sh` rule with `psql`");
}

const outlives = "it would outlive the transaction, and be there for others of a pooled connection";

function temporary({ relation, rel, oncommit, onCommit }: Fields): Refusal | undefined {
  const { relpersistence } = (relation ?? rel ?? {}) as Fields;
  if (relpersistence !== "t" || (oncommit ?? onCommit) === "ONCOMMIT_DROP") return undefined;
  return refuse("CREATE TEMPORARY TABLE", outlives, "write `ON COMMIT DROP`");
}

/** What is set for the session stays for whoever a pooler gives the connection to next. */
function setting({ is_local, name, kind }: Fields): Refusal | undefined {
  if (is_local === true || String(name).startsWith("TRANSACTION")) return undefined;
  const what = String(kind).includes("RESET") ? "RESET" : "SET";
  const hint = what === "SET" ? `write \`SET LOCAL ${String(name)} …\`` : "leave it out";
  return refuse(
    what,
    "it would outlive the transaction, and be in force for others of a pooled connection",
    hint,
  );
}
