-- oldest_release: 0.1.0

-- The last ids issued, beside counters that are written anyway; sqlite_sequence is moved ahead of
-- them, to what is reserved, once in a thousand. Where it stands elsewhere, somebody else issued an
-- id (the shell, an older release): ids go on behind it.
ALTER TABLE totals ADD COLUMN item_id_last INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN item_id_reserved INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN batch_id_last INTEGER NOT NULL DEFAULT 0;
ALTER TABLE totals ADD COLUMN batch_id_reserved INTEGER NOT NULL DEFAULT 0;

-- For an IN of more than two values SQLite builds a table at each INSERT and UPDATE.
CREATE TEMP TABLE attempts_kept AS SELECT * FROM attempts;
DROP TABLE attempts;
CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY,
    batch_id    INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    owner       TEXT,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    outcome     TEXT CHECK (outcome = 'acked' OR outcome = 'partial' OR outcome = 'nacked'
                            OR outcome = 'lapsed' OR outcome = 'owner_died'
                            OR outcome = 'released' OR outcome = 'split'
                            OR outcome = 'abandoned'),
    error       TEXT,
    items       INTEGER NOT NULL
) STRICT;
INSERT INTO attempts SELECT * FROM temp.attempts_kept;
DROP TABLE temp.attempts_kept;
