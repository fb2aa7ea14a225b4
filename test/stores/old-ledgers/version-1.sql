-- The ledger of dmake: what is loaded, from what, and when. Read it with any client; only dmake writes it.
CREATE SCHEMA IF NOT EXISTS dmake;
COMMENT ON SCHEMA dmake IS 'dmake''s ledger: what is loaded into the tables of this database, from what, and when.';

CREATE TABLE dmake.meta (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  version integer NOT NULL
);
COMMENT ON TABLE dmake.meta IS 'One row: which version of the ledger this is.';
COMMENT ON COLUMN dmake.meta.single IS 'Always true, so that there is one row only.';
COMMENT ON COLUMN dmake.meta.version IS 'A dmake that knows only older versions leaves this ledger alone.';

CREATE TABLE dmake.loads (
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

CREATE TABLE dmake.history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  outcome text NOT NULL,
  LIKE dmake.loads INCLUDING DEFAULTS
);
CREATE INDEX ON dmake.history (attempt);
CREATE INDEX ON dmake.history (schema_name, table_name, partition, id);

COMMENT ON TABLE dmake.loads IS
  'What every table and partition that dmake loaded holds now. Written in the transaction that made its rows visible.';
COMMENT ON TABLE dmake.history IS 'Every load that ever came through, oldest first. Rows are only added.';
COMMENT ON COLUMN dmake.history.id IS 'Counts up in the order of loading; gaps mean nothing.';
COMMENT ON COLUMN dmake.history.outcome IS 'How the load ended: loaded.';

DO $$
DECLARE
  ledger text;
  noted record;
BEGIN
  FOREACH ledger IN ARRAY ARRAY['loads', 'history'] LOOP
    FOR noted IN SELECT * FROM (VALUES
      ('schema_name', 'Schema of the table.'),
      ('table_name', 'Name of the table.'),
      ('partition', 'Value of the partition column, or empty for a whole table.'),
      ('target', 'The target as the Datafile names it.'),
      ('fingerprint', 'One digest for recipe and inputs; the comment on the partition holds the same.'),
      ('recipe', 'Named parts of the recipe, whose change makes the load stale.'),
      ('inputs', 'The files it was loaded from, each with the SHA-256 of its bytes.'),
      ('facts', 'What the recipe told of its work.'),
      ('rows', 'Rows loaded, counted in the table before it was published.'),
      ('bytes', 'Size of what was read.'),
      ('rejects', 'Rows that did not fit and were set aside.'),
      ('attempt', 'Unique to one run of one recipe.'),
      ('run', 'The run of dmake that did it.'),
      ('host', 'The machine that did it.'),
      ('started_at', 'When the attempt began, by the clock of that machine.'),
      ('finished_at', 'When it was ready to commit, by the clock of that machine.'),
      ('duration_ms', 'How long the recipe took, in milliseconds.'),
      ('source_url', 'Where the input came from, if that is known.'),
      ('source_etag', 'What the server called that version of it.'),
      ('dmake_version', 'The dmake that did it.'),
      ('recorded_at', 'When the row was written, by the clock of this server.')
    ) AS notes (name, note) LOOP
      EXECUTE format('COMMENT ON COLUMN dmake.%I.%I IS %L', ledger, noted.name, noted.note);
    END LOOP;
  END LOOP;
END
$$;

INSERT INTO dmake.meta (version) VALUES (1);
