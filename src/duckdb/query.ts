// Runs one statement and answers rows, or what DuckDB says against it. Knows nothing of what the statement is for.
import type { Session } from "./session.js";

export type Answer<Row> =
  | { readonly ok: true; readonly rows: readonly Row[] }
  | { readonly ok: false; readonly message: string };

/** For short answers only: all rows are held in memory. */
export async function query<Row>(session: Session, sql: string): Promise<Answer<Row>> {
  try {
    const reader = await session.connection.runAndReadAll(sql);
    return { ok: true, rows: reader.getRowObjects() as Row[] };
  } catch (error) {
    return { ok: false, message: plainMessage(error) };
  }
}

/** DuckDB's message without the statement it quotes, which no person wrote. What is no error of DuckDB's is a bug and goes on. */
export function plainMessage(error: unknown): string {
  if (typeof error !== "string" && !(error instanceof Error && error.name === "Error")) throw error;
  const message = typeof error === "string" ? error : error.message;
  return message.split(/\n\s*\n?LINE \d+:/)[0]!.trim();
}
