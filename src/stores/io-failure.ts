// Turns what the file system throws into failures. Knows nothing of what was being done.
import { type Failure, fail, ok, type Result } from "../core/failure.js";

/** Errors of the file system that a person can mend are failures; anything else is a bug and thrown on. */
export function ioFailure(doing: string, path: string, error: unknown): Failure {
  const code = (error as NodeJS.ErrnoException).code;
  if (typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) throw error;
  return { reason: "io", doing, path, code };
}

export function guardedSync<T>(doing: string, path: string, work: () => T): Result<T> {
  try {
    return ok(work());
  } catch (error) {
    return fail(ioFailure(doing, path, error));
  }
}

export async function guarded<T>(doing: string, path: string, work: () => Promise<T>): Promise<Result<T>> {
  try {
    return ok(await work());
  } catch (error) {
    return fail(ioFailure(doing, path, error));
  }
}
