-- oldest_release: 0.1.0
-- Items are appended and deleted, never updated. A batch is a range of item ids: ids are issued under
-- the write lock and never reused, batches are cut from the oldest ready ids, so ranges never overlap.
-- ready = id above the last_id of the batch with the highest first_id. Times are integer milliseconds
-- by the queue clock (table clock).

CREATE TABLE items (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    key          TEXT    NOT NULL,
    source_tag   TEXT    NOT NULL DEFAULT '',
    payload      BLOB    NOT NULL,
    enqueued_at  INTEGER NOT NULL,
    tracked      INTEGER NOT NULL DEFAULT 0 CHECK (tracked IN (0, 1)),
    published_at INTEGER,
    stale_at     INTEGER
) STRICT;
-- The index items_key on (key) is made at creation, by the setting `keys`.
CREATE INDEX items_stale ON items (stale_at) WHERE stale_at IS NOT NULL;

CREATE TABLE batches (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    state            TEXT    NOT NULL CHECK (state IN ('waiting', 'leased')),
    first_id         INTEGER NOT NULL UNIQUE,
    last_id          INTEGER NOT NULL CHECK (last_id >= first_id),
    items            INTEGER NOT NULL,
    bytes            INTEGER NOT NULL,
    attempts         INTEGER NOT NULL DEFAULT 0,
    releases         INTEGER NOT NULL DEFAULT 0,
    attempts_max     INTEGER,
    parent_id        INTEGER,
    attempt_id       INTEGER,
    lease_token      TEXT,
    lease_owner      INTEGER,
    leased_at        INTEGER,
    lease_expires_at INTEGER,
    not_before       INTEGER,
    created_at       INTEGER NOT NULL,
    last_error       TEXT,
    CONSTRAINT leased_has_a_lease CHECK (
        state = 'waiting' OR (lease_token IS NOT NULL AND lease_expires_at IS NOT NULL)),
    CONSTRAINT waiting_has_a_due_time CHECK (state = 'leased' OR not_before IS NOT NULL)
) STRICT;
CREATE INDEX batches_due ON batches (not_before) WHERE state = 'waiting';
CREATE INDEX batches_waiting ON batches (first_id) WHERE state = 'waiting';
CREATE INDEX batches_lapse ON batches (lease_expires_at) WHERE state = 'leased';

CREATE TABLE attempts (
    id          INTEGER PRIMARY KEY,
    batch_id    INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    owner       TEXT,
    started_at  INTEGER NOT NULL,
    finished_at INTEGER,
    outcome     TEXT CHECK (outcome IN ('acked', 'partial', 'nacked', 'lapsed', 'owner_died',
                                        'released', 'split', 'abandoned')),
    error       TEXT,
    items       INTEGER NOT NULL
) STRICT;

CREATE TABLE dead_letters (
    item_id      INTEGER PRIMARY KEY,
    key          TEXT    NOT NULL,
    source_tag   TEXT    NOT NULL,
    payload      BLOB    NOT NULL,
    enqueued_at  INTEGER NOT NULL,
    tracked      INTEGER NOT NULL,
    published_at INTEGER,
    stale_at     INTEGER,
    reason       TEXT    NOT NULL CHECK (reason IN ('abandoned', 'rejected', 'evicted', 'expired')),
    batch_id     INTEGER,
    attempts     INTEGER NOT NULL DEFAULT 0,
    last_error   TEXT,
    died_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX dead_letters_key ON dead_letters (key);
CREATE INDEX dead_letters_died ON dead_letters (died_at);

CREATE TABLE outcomes (
    item_id      INTEGER PRIMARY KEY,
    key          TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('resolved', 'fallback')),
    reason       TEXT,
    result       BLOB,
    published_at INTEGER,
    queued_at    INTEGER NOT NULL,
    settled_at   INTEGER NOT NULL
) STRICT;

-- The ledger and its companions, moved in the transaction that moves what they count.
CREATE TABLE totals (
    id                 INTEGER PRIMARY KEY CHECK (id = 1),
    enqueued           INTEGER NOT NULL DEFAULT 0,
    redriven           INTEGER NOT NULL DEFAULT 0,
    edited             INTEGER NOT NULL DEFAULT 0,
    acked              INTEGER NOT NULL DEFAULT 0,
    rejected           INTEGER NOT NULL DEFAULT 0,
    evicted            INTEGER NOT NULL DEFAULT 0,
    expired            INTEGER NOT NULL DEFAULT 0,
    abandoned          INTEGER NOT NULL DEFAULT 0,
    cancelled          INTEGER NOT NULL DEFAULT 0,
    refused            INTEGER NOT NULL DEFAULT 0,
    duplicates         INTEGER NOT NULL DEFAULT 0,
    outcomes_unclaimed INTEGER NOT NULL DEFAULT 0,
    attempts           INTEGER NOT NULL DEFAULT 0,
    failed_batches     INTEGER NOT NULL DEFAULT 0,
    items              INTEGER NOT NULL DEFAULT 0,
    bytes              INTEGER NOT NULL DEFAULT 0,
    waiting_items      INTEGER NOT NULL DEFAULT 0,
    leased_items       INTEGER NOT NULL DEFAULT 0,
    leased_bytes       INTEGER NOT NULL DEFAULT 0,
    age_sum            INTEGER NOT NULL DEFAULT 0, -- sum of enqueued_at - age_base over items
    outcomes           INTEGER NOT NULL DEFAULT 0,
    dead_letters       INTEGER NOT NULL DEFAULT 0,
    age_base           INTEGER NOT NULL DEFAULT 0,
    last_cleanup_at    INTEGER NOT NULL DEFAULT 0,
    settings_version   INTEGER NOT NULL DEFAULT 0,
    db_bytes           INTEGER NOT NULL DEFAULT 0, -- sampled at sampled_at
    wal_bytes          INTEGER NOT NULL DEFAULT 0,
    sampled_at         INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO totals (id) VALUES (1);

CREATE TABLE owners (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    label      TEXT    NOT NULL,
    opened_at  INTEGER NOT NULL,
    lock_inode INTEGER NOT NULL
) STRICT;

CREATE TABLE settings (
    name       TEXT PRIMARY KEY,
    value      ANY     NOT NULL,
    unit       TEXT    NOT NULL,
    minimum    ANY,
    maximum    ANY,
    allowed    TEXT,
    changed_at INTEGER NOT NULL,
    changed_by TEXT    NOT NULL,
    CONSTRAINT value_in_range CHECK (
        CASE WHEN allowed IS NULL
             THEN (typeof(value) = 'integer' OR (typeof(value) = 'real' AND unit = 's'))
                  AND value >= minimum AND value <= maximum
             ELSE typeof(value) = 'text' AND value NOT LIKE '%|%' AND value <> ''
                  AND instr('|' || allowed || '|', '|' || value || '|') > 0 END)
) STRICT, WITHOUT ROWID;
-- Writers keep the settings in memory and read them again when this version moves, whoever moved it.
CREATE TRIGGER settings_changed AFTER UPDATE ON settings BEGIN
    UPDATE totals SET settings_version = settings_version + 1;
    UPDATE settings SET changed_by = 'by hand',
           changed_at = (SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
                                - skew_ms FROM clock)
     WHERE name = NEW.name AND NEW.changed_at = OLD.changed_at AND NEW.value IS NOT OLD.value;
END;
CREATE TRIGGER settings_added AFTER INSERT ON settings BEGIN
    UPDATE totals SET settings_version = settings_version + 1;
END;
CREATE TRIGGER settings_kept BEFORE DELETE ON settings BEGIN
    SELECT RAISE(ABORT, 'settings are changed, not deleted');
END;

CREATE TABLE gate (
    id             INTEGER PRIMARY KEY CHECK (id = 1),
    state          TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed', 'half_open')),
    until          INTEGER, -- null while closed: until reopened
    reason         TEXT,
    changed_by     TEXT,
    changed_at     INTEGER,
    trial_batch_id INTEGER,
    failures       INTEGER NOT NULL DEFAULT 0, -- release-class failures in a row
    closures       INTEGER NOT NULL DEFAULT 0  -- failed trials in a row
) STRICT;
INSERT INTO gate (id) VALUES (1);

-- now = time since boot + offset_ms, while boot is the running boot.
CREATE TABLE clock (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    boot        TEXT    NOT NULL DEFAULT '',
    offset_ms   INTEGER NOT NULL DEFAULT 0,
    anchored_at INTEGER NOT NULL DEFAULT 0,
    seen_at     INTEGER NOT NULL DEFAULT 0,
    skew_ms     INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO clock (id) VALUES (1);

CREATE TABLE migrations (
    version        INTEGER PRIMARY KEY, -- 0: the views
    name           TEXT    NOT NULL,
    digest         TEXT    NOT NULL,
    oldest_release TEXT    NOT NULL,
    applied_at     INTEGER NOT NULL,
    applied_by     TEXT    NOT NULL
) STRICT;
