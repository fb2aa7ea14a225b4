// Does to a table what is newly declared of it, with no row touched: indexes, comments, rights. Knows nothing of loads.
import { ok, type Result } from "../core/failure.js";
import { amendable, fingerprintOf } from "../core/fingerprint.js";
import type { Parts, Trace } from "../core/trace.js";
import type { Attempt } from "../engine/ports.js";
import { readLedger, recordLoad } from "./ledger.js";
import { wordsFor, workFor } from "./table-declared.js";
import { readFound } from "./table-found.js";
import type { Run } from "./table-holder.js";
import { lockTable, type Patience, withRelationLocks } from "./table-locks.js";
import { readMark, readWords, writeMark } from "./table-mark.js";
import { type Address, literal, relation } from "./table-name.js";
import { declarationOf } from "./table-plan.js";
import { checkRoles, declaredOn } from "./table-publishing.js";
import { findPartition, type Relation, readRelation } from "./table-relation.js";
import type { Session } from "./table-session.js";
import { carryOut } from "./table-work.js";

interface AmendOptions {
  readonly attempt: Attempt;
  readonly run: Run;
  readonly patience: Patience;
}

/**
 * In the caller's transaction, under the lock of the load. Answers nothing where the rows are not those of the record, or
 * more than the declaration has changed: it has to be loaded.
 */
export async function amendTable(
  session: Session,
  address: Address,
  { attempt, run, patience }: AmendOptions,
): Promise<Result<Trace | undefined>> {
  const { recipe } = attempt.step;
  if (recipe.kind !== "load" && recipe.kind !== "sql") return ok(undefined);
  const recorded = await readLedger(session, [address]);
  if (!recorded.ok) return recorded;
  const [entry] = recorded.value;
  const [found] = await readFound(session, [address]);
  if (entry === undefined || found?.fact.kind !== "present") return ok(undefined);
  const { trace: last, strategy } = entry;
  if (found.fact.digest !== last.outputs[0]?.digest || strategy === undefined || strategy === "view")
    return ok(undefined);
  if (!differsOnlyInDeclaration(attempt, last)) return ok(undefined);
  await lockTable(session, address);
  const declaration = declarationOf(recipe);
  const roles = await checkRoles(session, declaration.grants);
  if (!roles.ok) return roles;
  const table = await readRelation(session, address.schema, address.table);
  if (table === undefined) return ok(undefined);
  const declared = declaredOn(address, declaration, last.recipe, {
    columns: table.columns.map(({ name }) => name),
    partitioned: table.kind === "partitioned" ? table.key : undefined,
  });
  if (!declared.ok) return declared;
  const { wanted, before } = declared.value;
  const work = workFor(address, table, wanted, before);
  if (!work.ok) return work;
  const { lock, statements } = work.value;
  const done = await withRelationLocks(session, address, patience, async () => {
    if (lock)
      await session.query(`LOCK TABLE ONLY ${relation(address.schema, address.table)} IN ${lock} MODE`);
    await carryOut(session, address.schema, statements);
    return ok(undefined);
  });
  if (!done.ok) return done;
  const fingerprint = fingerprintOf(attempt.recipe, last.inputs);
  await remark(session, address, { fingerprint, attempt: attempt.id }, (words) =>
    address.partition === undefined ? wordsFor(words, wanted, before) : words,
  );
  const { provisional: _, ...kept } = last;
  const trace: Trace = {
    ...kept,
    recipe: attempt.recipe,
    because: attempt.because,
    attempt: attempt.id,
    ...(attempt.provisional && { provisional: true }),
  };
  await recordLoad(session, {
    ...{ address, outcome: "amended", fingerprint, trace, rows: entry.rows, run, strategy },
    partitionColumn: recipe.partitionColumn,
  });
  return ok(trace);
}

function differsOnlyInDeclaration({ recipe, inputs }: Attempt, last: Trace): boolean {
  const rest = (parts: Parts): string =>
    JSON.stringify(
      Object.entries(parts)
        .filter(([name]) => !name.startsWith(amendable))
        .sort(([one], [other]) => (one < other ? -1 : 1)),
    );
  const listed = (list: Trace["inputs"]): string =>
    JSON.stringify(list.map(({ name, digest }) => [name, digest]));
  return rest(recipe) === rest(last.recipe) && listed(inputs) === listed(last.inputs);
}

/** The mark names recipe and attempt, of which there are others now. Rows among others carry none. */
async function remark(
  session: Session,
  address: Address,
  now: { readonly fingerprint: string; readonly attempt: string },
  wordsNow: (words: string | undefined) => string | undefined,
): Promise<void> {
  const marked = await markedTable(session, address);
  const comment = marked?.table.comment ?? null;
  const mark = readMark(comment);
  if (marked === undefined || mark === undefined) return;
  const text = writeMark({ ...mark, ...now }, wordsNow(readWords(comment)));
  await session.query(`COMMENT ON TABLE ${relation(marked.schema, marked.name)} IS ${literal(text)}`);
}

async function markedTable(
  session: Session,
  address: Address,
): Promise<{ schema: string; name: string; table: Relation } | undefined> {
  const place =
    address.partition === undefined
      ? { schema: address.schema, name: address.table }
      : await findPartition(session, address);
  const table = place && (await readRelation(session, place.schema, place.name));
  return place && table && { schema: place.schema, name: place.name, table };
}
