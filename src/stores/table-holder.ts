// Names a connection that loads, so that others can see whose it is, and reads who holds a lock that is wanted. Knows nothing of what the locks are for.
import type { Holder } from "../core/failure.js";
import { cut } from "./table-name.js";
import type { Session } from "./table-session.js";

/** One process of dmake, as those who wait for it are told. */
export interface Run {
  readonly id: string;
  readonly pid: number;
  readonly host: string;
}

/** What `pg_stat_activity` calls a connection that loads. Postgres cuts a longer name; a host's end is the least of it. */
export const connectionName = ({ id, pid, host }: Run): string => cut(`dmake ${id} ${pid}@${host}`);

const ours = /^dmake (\S+) (\d+)@(.*)$/s;

interface HolderRow {
  readonly name: string | null;
  readonly since: Date | null;
  readonly [column: string]: unknown;
}

// Names are for everybody to see; since when, for those only who are the same user or may read all statistics.
const holderSql = `
  SELECT a.application_name AS name, a.xact_start AS since
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
   WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = $1 AND l.objid = $2
     AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
   LIMIT 1`;

/**
 * Who holds an advisory lock of two numbers, as far as it can be seen; nothing if nobody does. Of a client that is not
 * dmake no more is known than since when, which is when its transaction began.
 */
export async function holderOf(session: Session, space: number, number: number): Promise<Holder | undefined> {
  // The catalogue has both as unsigned.
  const [row] = await session.query<HolderRow>(holderSql, [space >>> 0, number >>> 0]);
  if (row === undefined) return undefined;
  const [, run, pid, host] = ours.exec(row.name ?? "") ?? [];
  return {
    ...(run !== undefined && { run, pid: Number(pid) }),
    ...(host && { host }),
    ...(row.since && { since: row.since.toISOString() }),
  };
}
