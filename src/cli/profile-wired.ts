// Has stores and runners tell how long what they are asked takes. Knows nothing of what they do, or of how time is kept.
import type { EndSpan, SpanFacts, Spans } from "../core/spans.js";
import type {
  Attempt,
  Job,
  QueryWriter,
  Runner,
  Runners,
  Stage,
  Store,
  TableWriter,
} from "../engine/ports.js";
import type { Recording } from "./profile-recording.js";
import type { Wired } from "./world.js";

/** The same, watched. */
export function watched(wired: Wired, recording: Recording): Wired {
  const { stores, runners } = wired;
  return {
    ...wired,
    stores: {
      files: watchedStore(stores.files, recording),
      // Files are looked at in two ways, and their store tells of both by itself.
      tables: { ...watchedStore(stores.tables, recording), ...lookedAt(stores.tables, recording) },
    },
    runners: watchedRunners(runners, recording),
    placesFor: (...asked) => during(recording.begin("open places"), () => wired.placesFor(...asked)),
    recover: (signal) => during(recording.begin("recover"), () => wired.recover(signal)),
    close: () => during(recording.begin("close"), () => wired.close()),
  };
}

async function during<T>(end: EndSpan, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    end();
  }
}

const lookedAt = (store: Store, { begin }: Spans): Pick<Store, "observe" | "traces"> => ({
  observe: (names) => during(begin("look at tables", { targets: names.length }), () => store.observe(names)),
  traces: (steps) => during(begin("read ledger", { steps: steps.length }), () => store.traces(steps)),
});

function watchedStore(store: Store, recording: Recording): Store {
  const { begin } = recording;
  const { amend, untouched, verify } = store;
  const of = ({ step }: Attempt) => ({ target: step.id });
  const started = ({ step }: Attempt) => recording.started(step.id, { recipe: step.recipe.kind });
  return {
    observe: (names) => store.observe(names),
    stamps: (names) => store.stamps(names),
    traces: (steps) => store.traces(steps),
    adopt: (attempt, waiting) => store.adopt(attempt, waiting),
    stage: async (attempt, waiting) => {
      started(attempt);
      const staged = await during(begin("stage", of(attempt)), () => store.stage(attempt, waiting));
      recording.staged(attempt.step.id);
      return staged;
    },
    publish: (attempt, ...rest) =>
      during(begin("publish", of(attempt)), () => store.publish(attempt, ...rest)),
    discard: (attempt, stage) => during(begin("discard", of(attempt)), () => store.discard(attempt, stage)),
    close: () => store.close(),
    ...(untouched && { untouched }),
    ...(verify && { verify: (...asked) => verify.apply(store, asked) }),
    ...(amend && {
      amend: async (attempt, waiting) => {
        started(attempt);
        const amended = await during(begin("amend", of(attempt)), () => amend.call(store, attempt, waiting));
        recording.staged(attempt.step.id);
        return amended;
      },
    }),
  };
}

/** The store keeps its own stage: what it gave is what it gets back, and only the runner has the watched one. */
function watchedRunners(runners: Runners, spans: Spans): Runners {
  const all = Object.entries(runners).map(([kind, load]) => {
    let watching: Promise<Runner<never>> | undefined;
    const loading = async () => watchedRunner(await (load as () => Promise<Runner<never>>)(), spans);
    // The first time is the one that takes long.
    return [kind, () => (watching ??= during(spans.begin(`load recipe ${kind}`), loading))] as const;
  });
  return Object.fromEntries(all) as unknown as Runners;
}

const watchedRunner =
  (run: Runner<never>, spans: Spans): Runner<never> =>
  async (recipe, job) => {
    const target = job.step.id;
    const end = spans.begin("run", { target });
    let found: SpanFacts | undefined;
    try {
      const outcome = await run(recipe, watchedJob(job, spans));
      const { rows, bytes } = outcome.ok ? outcome.value.facts : {};
      found = { ...(rows !== undefined && { rows }), ...(bytes !== undefined && { bytes }) };
      return outcome;
    } finally {
      end(found);
    }
  };

function watchedJob(job: Job, { begin }: Spans): Job {
  const target = job.step.id;
  const need: Job["need"] = (names) =>
    during(begin("need", { target, targets: names.length }), () => job.need(names));
  return { ...job, need, stage: watchedStage(job.stage, (name) => begin(name, { target })) };
}

function watchedStage(stage: Stage, begin: (name: string) => EndSpan): Stage {
  switch (stage.kind) {
    case "files":
      return stage;
    case "table":
      return { ...stage, writer: watchedWriter(stage.writer, begin) };
    case "query":
      return { ...stage, writer: watchedQuery(stage.writer, begin) };
  }
}

const watchedWriter = (writer: TableWriter, begin: (name: string) => EndSpan): TableWriter => ({
  open: (columns) => during(begin("open table"), () => writer.open(columns)),
  widen: (columns) => during(begin("widen columns"), () => writer.widen(columns)),
  copy: (bytes, signal) => during(begin("copy"), () => writer.copy(bytes, signal)),
  reject: (file, rows) => during(begin("keep rejects"), () => writer.reject(file, rows)),
});

const watchedQuery = (writer: QueryWriter, begin: (name: string) => EndSpan): QueryWriter => ({
  query: (statement, signal) => during(begin("query"), () => writer.query(statement, signal)),
  run: (statements, signal) => during(begin("statements"), () => writer.run(statements, signal)),
});
