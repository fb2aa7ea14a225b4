-- The ledger of dmake: what is loaded, from what, and when. Read it with any client; only dmake writes it.
-- Makes a new ledger, and brings an older one up to this version: every statement leaves alone what is there already.

-- `CREATE SCHEMA IF NOT EXISTS` asks for the right to create schemas even where an administrator has made this one.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = 'dmake') THEN
    CREATE SCHEMA dmake;
  END IF;
  IF pg_has_role((SELECT nspowner FROM pg_namespace WHERE nspname = 'dmake'), 'USAGE') THEN
    COMMENT ON SCHEMA dmake IS 'dmake''s ledger: what is loaded into the tables of this database, from what, and when.';
  END IF;
END
$$;

-- All at once, before anything is changed: a load of an older dmake that has read them would otherwise wait for us as we do for it.
DO $$
BEGIN
  IF to_regclass('dmake.loads') IS NOT NULL THEN
    LOCK TABLE dmake.loads, dmake.history IN ACCESS EXCLUSIVE MODE;
  END IF;
END
$$;

CREATE TABLE IF NOT EXISTS dmake.meta (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  version integer NOT NULL
);
COMMENT ON TABLE dmake.meta IS 'One row: which version of the ledger this is.';
COMMENT ON COLUMN dmake.meta.single IS 'Always true, so that there is one row only.';
COMMENT ON COLUMN dmake.meta.version IS 'A dmake that knows only older versions leaves this ledger alone.';

CREATE TABLE IF NOT EXISTS dmake.loads (
  schema_name text NOT NULL,
  table_name text NOT NULL,
  partition text NOT NULL DEFAULT '',
  target text NOT NULL,
  fingerprint text NOT NULL,
  recipe jsonb NOT NULL,
  inputs jsonb NOT NULL,
  facts jsonb NOT NULL,
  rows bigint NOT NULL,
  bytes bigint,
  rejects bigint NOT NULL DEFAULT 0,
  attempt text NOT NULL,
  run text NOT NULL,
  host text NOT NULL,
  started_at timestamptz NOT NULL,
  finished_at timestamptz NOT NULL,
  duration_ms double precision NOT NULL,
  source_url text,
  source_etag text,
  dmake_version text NOT NULL,
  recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (schema_name, table_name, partition)
);

CREATE TABLE IF NOT EXISTS dmake.history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  outcome text NOT NULL,
  LIKE dmake.loads INCLUDING DEFAULTS
);
CREATE INDEX IF NOT EXISTS history_attempt_idx ON dmake.history (attempt);
CREATE INDEX IF NOT EXISTS history_schema_name_table_name_partition_id_idx
  ON dmake.history (schema_name, table_name, partition, id);

-- Version 2.
ALTER TABLE dmake.loads ADD COLUMN IF NOT EXISTS content text, ADD COLUMN IF NOT EXISTS because jsonb;
ALTER TABLE dmake.history ADD COLUMN IF NOT EXISTS content text, ADD COLUMN IF NOT EXISTS because jsonb;

-- Version 3.
ALTER TABLE dmake.loads
  ADD COLUMN IF NOT EXISTS strategy text, ADD COLUMN IF NOT EXISTS partition_column text,
  ADD COLUMN IF NOT EXISTS checksum text, ADD COLUMN IF NOT EXISTS checksum_columns jsonb,
  ADD COLUMN IF NOT EXISTS origins jsonb, ADD COLUMN IF NOT EXISTS changes jsonb,
  ADD COLUMN IF NOT EXISTS provisional boolean NOT NULL DEFAULT false;
ALTER TABLE dmake.history
  ADD COLUMN IF NOT EXISTS strategy text, ADD COLUMN IF NOT EXISTS partition_column text,
  ADD COLUMN IF NOT EXISTS checksum text, ADD COLUMN IF NOT EXISTS checksum_columns jsonb,
  ADD COLUMN IF NOT EXISTS origins jsonb, ADD COLUMN IF NOT EXISTS changes jsonb,
  ADD COLUMN IF NOT EXISTS provisional boolean NOT NULL DEFAULT false;

CREATE TABLE IF NOT EXISTS dmake.rejects (
  schema_name text NOT NULL,
  table_name text NOT NULL,
  partition text NOT NULL DEFAULT '',
  attempt text NOT NULL,
  file text NOT NULL,
  line bigint,
  row bigint,
  column_name text,
  value text,
  reason text NOT NULL
);
CREATE INDEX IF NOT EXISTS rejects_schema_name_table_name_partition_idx
  ON dmake.rejects (schema_name, table_name, partition);

CREATE OR REPLACE VIEW dmake.status AS
  SELECT target, rows, rejects, provisional, strategy, finished_at AS loaded_at,
         date_trunc('milliseconds', duration_ms * interval '1 millisecond') AS duration,
         host, run, source_url, dmake_version
    FROM dmake.loads
   ORDER BY schema_name, table_name, partition;

-- Of a load before version 3 the origins are not known, but the files that it read.
CREATE OR REPLACE VIEW dmake.provenance AS
  SELECT l.target, l.schema_name, l.table_name, l.partition, l.rows, l.finished_at AS loaded_at,
         coalesce(o.origin->>'url', CASE WHEN o.origin IS NULL OR l.origins IS NULL THEN l.source_url END) AS url,
         coalesce(o.origin->>'etag', CASE WHEN o.origin IS NULL OR l.origins IS NULL THEN l.source_etag END) AS etag,
         o.origin->>'lastModified' AS last_modified, (o.origin->>'checkedAt')::timestamptz AS checked_at,
         o.origin->>'name' AS file, o.origin->>'digest' AS digest,
         l.fingerprint, l.attempt, l.run, l.host, l.dmake_version
    FROM dmake.loads l
    LEFT JOIN LATERAL jsonb_array_elements(CASE WHEN jsonb_typeof(l.origins) = 'array' THEN l.origins ELSE l.inputs END)
              WITH ORDINALITY AS o (origin, n) ON true
   ORDER BY l.schema_name, l.table_name, l.partition, o.n;

COMMENT ON TABLE dmake.loads IS
  'What every table and partition that dmake loaded holds now. Written in the transaction that made its rows visible.';
COMMENT ON TABLE dmake.history IS 'Every load that ever came through, oldest first. Rows are only added.';
COMMENT ON COLUMN dmake.history.id IS 'Counts up in the order of loading; gaps mean nothing.';
COMMENT ON COLUMN dmake.history.outcome IS
  'loaded; adopted: somebody vouched for rows that were there, when the ledger had lost them; or amended: what the Datafile declares of the table was done to it, and its rows stayed.';
COMMENT ON TABLE dmake.rejects IS 'The rows of the present loads that did not fit and were set aside, as far as the Datafile allows.';
COMMENT ON VIEW dmake.status IS 'What is loaded, for people: one row for each target.';
COMMENT ON VIEW dmake.provenance IS 'Where the rows of each target come from: one row for each target and each file that it was made of, however far up.';

DO $$
DECLARE
  noted record;
BEGIN
  FOR noted IN SELECT * FROM (VALUES
      ('{loads,history,rejects,provenance}', 'schema_name', 'Schema of the table.'),
      ('{loads,history,rejects,provenance}', 'table_name', 'Name of the table.'),
      ('{loads,history,rejects,provenance}', 'partition', 'Value of the partition column, or empty for a whole table.'),
      ('{loads,history,status,provenance}', 'target', 'The target as the Datafile names it.'),
      ('{loads,history,provenance}', 'fingerprint', 'One digest for recipe and inputs; the comment on the partition holds the same.'),
      ('{loads,history}', 'recipe', 'Named parts of the recipe, whose change makes the load stale.'),
      ('{loads,history}', 'inputs', 'The files it was loaded from, each with the SHA-256 of its bytes.'),
      ('{loads,history}', 'facts', 'What the recipe told of its work.'),
      ('{loads,history,status,provenance}', 'rows', 'Rows loaded, counted in the table before it was published.'),
      ('{loads,history}', 'bytes', 'Size of what was read.'),
      ('{loads,history,status}', 'rejects', 'Rows that did not fit and were set aside.'),
      ('{loads,history,provenance}', 'attempt', 'Unique to one run of one recipe.'),
      ('{rejects}', 'attempt', 'The load that set the row aside.'),
      ('{loads,history,status,provenance}', 'run', 'The run of dmake that did it.'),
      ('{loads,history,status,provenance}', 'host', 'The machine that did it.'),
      ('{loads,history}', 'started_at', 'When the attempt began, by the clock of that machine.'),
      ('{loads,history}', 'finished_at', 'When it was ready to commit, by the clock of that machine.'),
      ('{status,provenance}', 'loaded_at', 'When it was ready to commit, by the clock of the machine that did it.'),
      ('{loads,history}', 'duration_ms', 'How long the recipe took, in milliseconds.'),
      ('{status}', 'duration', 'How long the recipe took.'),
      ('{loads,history,status}', 'source_url', 'Where the input came from, if that is known; the first place, if there are several.'),
      ('{loads,history}', 'source_etag', 'What the server called that version of it.'),
      ('{loads,history,status,provenance}', 'dmake_version', 'The dmake that did it.'),
      ('{loads,history}', 'content', 'One digest for rows, columns and types: what the load says, however it was made. Null before version 2.'),
      ('{loads,history}', 'because', 'Why it ran. Null before version 2.'),
      ('{loads,history}', 'recorded_at', 'When the row was written, by the clock of this server.'),
      ('{loads,history,status}', 'strategy', 'How new rows took the place of old ones: swap, delete, replace or merge; or view. Null before version 3.'),
      ('{loads,history}', 'partition_column', 'The column that holds the partition; null for a whole table, and before version 3.'),
      ('{loads,history}', 'checksum', 'Of the rows in any order, made by this server when they were loaded; dmake verify compares. Null before version 3.'),
      ('{loads,history}', 'checksum_columns', 'The columns that the checksum was made over, with their types then.'),
      ('{loads,history}', 'origins', 'The downloads and files that it was made of, however far up. Null before version 3.'),
      ('{loads,history}', 'changes', 'What was changed of the table so that the rows fit, in words.'),
      ('{loads,history,status}', 'provisional', 'Made while its month (or the like) was still going on: there may be more of it.'),
      ('{rejects}', 'file', 'The file that the row is of.'),
      ('{rejects}', 'line', 'The line where the row begins, counting from 1, header included; of text files.'),
      ('{rejects}', 'row', 'The row of data, counting from 1, in files that have no lines.'),
      ('{rejects}', 'column_name', 'The column whose value does not fit, if it is one.'),
      ('{rejects}', 'value', 'The beginning of that value.'),
      ('{rejects}', 'reason', 'Why the row does not fit.'),
      ('{provenance}', 'url', 'Where the file was downloaded from.'),
      ('{provenance}', 'etag', 'What the server called that version of it.'),
      ('{provenance}', 'last_modified', 'When the server said that it had changed last.'),
      ('{provenance}', 'checked_at', 'When it was last known to be what the source has.'),
      ('{provenance}', 'file', 'The file, as the Datafile names it.'),
      ('{provenance}', 'digest', 'The SHA-256 of its bytes.')
    ) AS notes (places, name, note), unnest(places::text[]) AS place LOOP
    EXECUTE format('COMMENT ON COLUMN dmake.%I.%I IS %L', noted.place, noted.name, noted.note);
  END LOOP;
END
$$;

INSERT INTO dmake.meta (version) VALUES (3) ON CONFLICT (single) DO UPDATE SET version = excluded.version;
