// Whatever a server does, a download is one version of the file, whole, or a failure that says what went wrong.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { csv, impatient } from "../rig/download.js";
import { hostileWeb, type Move, type Sent } from "../rig/hostile-web.js";
import { holds } from "../rig/property.js";
import { type Desk, desk } from "../rig/web.js";

const retries = 3;
/** Silence of a server; cases wait for it several times. */
const timeoutMs = 250;
/** Hundreds of times the waits that one script can ask for: only a hang takes longer. */
const hangMs = 20_000;

/** Of different lengths and bytes at every place, so that no mixture of two is a third. */
const versions = [
  csv(40_000),
  Buffer.from(csv(52_345).toString().replaceAll("5", "8")),
  Buffer.from(csv(40_000).toString().replaceAll("1", "7")),
];

const often = <T>(usual: T, ...others: T[]) =>
  fc.oneof(
    { weight: 20, arbitrary: fc.constant(usual) },
    { weight: 2, arbitrary: fc.constantFrom(...others) },
  );

const cut = fc.record({
  at: fc.double({ min: 0, max: 0.999, noNaN: true }),
  how: fc.constantFrom("end" as const, "end" as const, "reset" as const, "stall" as const),
});

const move: fc.Arbitrary<Move> = fc
  .record(
    {
      answer: often<Move["answer"]>(
        "file",
        "ignore range",
        "ignore if-range",
        "silence",
        "hang up",
        "no http",
        502,
        503,
        416,
        206,
        304,
        204,
        404,
      ),
      version: fc.nat({ max: versions.length - 1 }),
      validator: fc.constantFrom("strong", "strong", "strong", "weak", "old date", "same second", "none"),
      length: often<Move["length"]>(
        "right",
        "chunked",
        "open",
        "too long",
        "too short",
        "negative",
        "twice",
        "no number",
      ),
      range: often<Move["range"]>("right", "start", "total", "unit", "missing", "no total"),
      coding: often<Move["coding"]>("none", "gzip", "two members", "garbage after", "half", "lie"),
      cut: cut,
      drip: fc.integer({ min: 1, max: 30 }),
      extra: fc.constantFrom("", "", "", "", "x", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n?", "\r\n"),
      hints: fc.integer({ min: 1, max: 3 }),
      keeps: fc.boolean(),
    },
    { requiredKeys: ["answer", "version", "validator", "length", "range", "coding"] },
  )
  // Bytes that end exactly where a lie says that they do are no lie that anybody could tell.
  .filter(({ length, cut }) => length !== "too short" || cut === undefined);

interface Case {
  readonly moves: readonly Move[];
  /** Given to the recipe: then a server may also say the same `ETag` of other bytes. */
  readonly sealed: boolean;
}

const hostile: fc.Arbitrary<Case> = fc.oneof(
  fc.record({ moves: fc.array(move, { minLength: 1, maxLength: 5 }), sealed: fc.constant(false) }),
  fc.record({
    moves: fc.array(
      move.map((each): Move => ({ ...each, validator: "always the same" })),
      { minLength: 1, maxLength: 5 },
    ),
    sealed: fc.constant(true),
  }),
);

const sha256 = createHash("sha256").update(versions[1]!).digest("hex");

/** Versions, and what came twice in a row with nothing but the connection to say where it ends. */
function believable(sent: readonly Sent[], sealed: boolean): readonly Buffer[] {
  if (sealed) return [versions[1]!];
  const twice = sent.flatMap(({ open }, at) => (open && sent[at - 1]?.open?.equals(open) ? [open] : []));
  return [...versions, ...twice];
}

async function downloaded(made: Desk): Promise<{ failure: string | undefined; written: Buffer }> {
  const { run } = impatient();
  const late = new Promise<"hangs">((resolve) => setTimeout(resolve, hangMs, "hangs").unref());
  const result = await Promise.race([run(made.recipe, made.job), late]);
  assert.notEqual(result, "hangs", "it hangs");
  if (result === "hangs") throw new Error();
  return result.ok
    ? { failure: undefined, written: made.written() }
    : { failure: result.error.reason, written: Buffer.alloc(0) };
}

test("a hostile server: one version of the file, whole, or a clear failure in bounded tries", {
  timeout: 110_000,
}, async (t) => {
  let good = 0;
  let bad = 0;
  // Sixty at a time wait together. Shrinking would take minutes: the failure names its case.
  const together = fc.noShrink(fc.array(hostile, { minLength: 60, maxLength: 60 }));
  await holds(
    fc.asyncProperty(together, async (cases) => {
      const web = await hostileWeb(new Map(cases.map(({ moves }, at) => [`/${at}`, moves])), versions);
      try {
        await Promise.all(
          cases.map(async ({ sealed }, at) => {
            const recipe = { retries, timeoutMs, ...(sealed && { sha256 }) };
            const made = desk(t, { url: `${web.origin}/${at}`, recipe });
            const { failure, written } = await downloaded(made);
            const sent = web.sent.get(`/${at}`) ?? [];
            const told = `case ${at}: ${made.logged.join("")}`;
            if (failure === undefined) {
              good++;
              assert.ok(
                believable(sent, sealed).some((bytes) => bytes.equals(written)),
                `wrong bytes in ${told}`,
              );
            } else {
              bad++;
              assert.match(failure, /^(download-|digest-mismatch)/, told);
            }
            // Once more where two are compared; all over again where the pieces do not have the digest.
            const most = sealed ? 2 * (retries + 1) : retries + 2;
            assert.ok(sent.length <= most, `${sent.length} tries in ${told}`);
          }),
        );
      } finally {
        await web.close();
      }
    }),
    6,
  );
  t.diagnostic(`${good} whole, ${bad} failures`);
  assert.ok(good > 5 && bad > 5, "the scripts are of both kinds");
});
