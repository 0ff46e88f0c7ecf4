-- The views, for people in the sqlite3 shell, for Queue::health() and for the command line. Repeatable:
-- dropped and made anew whenever this file changes. They read tables only (no pragma). Each is readable
-- at 80 columns in plain mode and in -box: of what a handler or an operator wrote, 24 characters are
-- shown, a space for each line break and tab.

CREATE VIEW queue_now AS
SELECT CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) - skew_ms AS now FROM clock;

CREATE VIEW counters (name, value) AS
SELECT 'enqueued', enqueued FROM totals UNION ALL
SELECT 'redriven', redriven FROM totals UNION ALL
SELECT 'edited', edited FROM totals UNION ALL
SELECT 'acked', acked FROM totals UNION ALL
SELECT 'rejected', rejected FROM totals UNION ALL
SELECT 'evicted', evicted FROM totals UNION ALL
SELECT 'expired', expired FROM totals UNION ALL
SELECT 'abandoned', abandoned FROM totals UNION ALL
SELECT 'cancelled', cancelled FROM totals UNION ALL
SELECT 'refused', refused FROM totals UNION ALL
SELECT 'duplicates', duplicates FROM totals UNION ALL
SELECT 'outcomes_unclaimed', outcomes_unclaimed FROM totals UNION ALL
SELECT 'attempts', attempts FROM totals UNION ALL
SELECT 'failed_batches', failed_batches FROM totals UNION ALL
SELECT 'items', items FROM totals UNION ALL
SELECT 'bytes', bytes FROM totals UNION ALL
SELECT 'waiting_items', waiting_items FROM totals UNION ALL
SELECT 'leased_items', leased_items FROM totals UNION ALL
SELECT 'leased_bytes', leased_bytes FROM totals UNION ALL
SELECT 'outcomes', outcomes FROM totals UNION ALL
SELECT 'dead_letters', dead_letters FROM totals;

CREATE VIEW health (metric, value, "limit", note) AS
WITH setting (items_max, bytes_max, overflow, age_max, attempts_max, dead_max, outcomes_max,
              cleanup_interval, file_bytes_max, wal_bytes_max, batch_items_due) AS (
    SELECT (SELECT value FROM settings WHERE name = 'items_max'),
           (SELECT value FROM settings WHERE name = 'bytes_max'),
           (SELECT value FROM settings WHERE name = 'overflow'),
           (SELECT value FROM settings WHERE name = 'age_max'),
           (SELECT value FROM settings WHERE name = 'attempts_max'),
           (SELECT value FROM settings WHERE name = 'dead_max'),
           (SELECT value FROM settings WHERE name = 'outcomes_max'),
           (SELECT value FROM settings WHERE name = 'cleanup_interval'),
           (SELECT value FROM settings WHERE name = 'file_bytes_max'),
           (SELECT value FROM settings WHERE name = 'wal_bytes_max'),
           (SELECT value FROM settings WHERE name = 'batch_items_due')),
oldest (enqueued_at) AS (SELECT enqueued_at FROM items ORDER BY id LIMIT 1),
backing_off (next) AS (
    SELECT not_before FROM batches WHERE state = 'waiting' ORDER BY not_before LIMIT 1),
running (batches) AS (
    SELECT count(*) FROM (SELECT 1 FROM batches WHERE state = 'leased' LIMIT 1000)),
overdue (batches) AS (
    SELECT count(*) FROM (SELECT 1 FROM batches, queue_now
                           WHERE state = 'leased' AND lease_expires_at <= now LIMIT 1000))
SELECT 'size', items, items_max,
       printf('%.1f%% full, %s', 100.0 * items / items_max, overflow) FROM totals, setting
UNION ALL
SELECT 'bytes', bytes, bytes_max, printf('%.1f%% full', 100.0 * bytes / bytes_max)
  FROM totals, setting
UNION ALL
SELECT 'ready', max(0, items - waiting_items - leased_items), NULL,
       printf('a batch is due from %d', batch_items_due) FROM totals, setting
UNION ALL
SELECT 'waiting', waiting_items, NULL,
       CASE WHEN next IS NULL THEN ''
            WHEN next <= now THEN 'next batch is due'
            ELSE printf('next batch in %ds', (next - now + 999) / 1000) END
  FROM totals, queue_now LEFT JOIN backing_off
UNION ALL
SELECT 'leased', leased_items, NULL,
       CASE WHEN running.batches = 0 THEN ''
            ELSE printf('%d batch%s', running.batches,
                        CASE running.batches WHEN 1 THEN '' ELSE 'es' END) END
       || CASE WHEN overdue.batches = 0 THEN ''
               ELSE printf(', %d past due', overdue.batches) END
  FROM totals, running, overdue
UNION ALL
SELECT 'age_max_s', ifnull((now - enqueued_at) / 1000, 0), age_max, 'oldest item'
  FROM queue_now, setting LEFT JOIN oldest
UNION ALL
SELECT 'age_avg_s',
       CASE WHEN items > 0 THEN (now - age_base - age_sum / items) / 1000 ELSE 0 END, NULL, ''
  FROM totals, queue_now
UNION ALL
SELECT 'attempts', attempts, NULL, printf('at most %d a batch', attempts_max) FROM totals, setting
UNION ALL
SELECT 'failed', failed_batches, NULL, 'batches abandoned' FROM totals
UNION ALL
SELECT 'dead', dead_letters, dead_max, CASE WHEN dead_letters > 0 THEN 'see: dead' ELSE '' END
  FROM totals, setting
UNION ALL
SELECT 'outcomes', outcomes, outcomes_max,
       CASE WHEN outcomes_unclaimed > 0 THEN printf('%d dropped unread', outcomes_unclaimed)
            ELSE '' END FROM totals, setting
UNION ALL
SELECT 'last_cleanup_s', CASE WHEN last_cleanup_at > 0 THEN (now - last_cleanup_at) / 1000 END,
       cleanup_interval, CASE WHEN last_cleanup_at > 0 THEN 'since the last' ELSE 'never' END
  FROM totals, queue_now, setting
UNION ALL
SELECT 'ledger', enqueued + redriven + edited - acked - rejected - evicted - expired - abandoned
                 - cancelled - items, 0,
       'counters; from rows: ledger' FROM totals
UNION ALL
SELECT 'gate', state,
       CASE WHEN state = 'open' THEN NULL WHEN until IS NULL THEN 'reopen'
            WHEN until <= now THEN 'now' ELSE printf('%ds', (until - now + 999) / 1000) END,
       ifnull(replace(replace(replace(substr(reason, 1, 24),
              char(10), ' '), char(13), ' '), char(9), ' '), '')
  FROM gate, queue_now
UNION ALL
SELECT 'db_bytes', db_bytes, file_bytes_max,
       CASE WHEN sampled_at > 0 THEN printf('sampled %ds ago', (now - sampled_at) / 1000)
            ELSE 'not sampled yet' END
  FROM totals, queue_now, setting
UNION ALL
SELECT 'wal_bytes', wal_bytes, wal_bytes_max,
       CASE WHEN sampled_at > 0 THEN printf('sampled %ds ago', (now - sampled_at) / 1000)
            ELSE 'not sampled yet' END
  FROM totals, queue_now, setting
UNION ALL
SELECT 'sqlite', text, NULL,
       CASE WHEN version BETWEEN 3007000 AND 3044005 OR version BETWEEN 3045000 AND 3050006
              OR version BETWEEN 3051000 AND 3051002
            THEN 'WAL-reset bug: guarded' ELSE '' END
  FROM (SELECT text, CAST(text AS INTEGER) * 1000000 + CAST(rest AS INTEGER) * 1000
                     + CAST(substr(rest, instr(rest, '.') + 1) AS INTEGER) AS version
          FROM (SELECT text, substr(text, instr(text, '.') + 1) AS rest
                  FROM (SELECT sqlite_version() AS text)))
UNION ALL
SELECT 'skew_s', skew_ms / 1000, 5, 'wall minus queue clock' FROM clock WHERE abs(skew_ms) > 5000;

-- A label is program[pid]@host. Of a long one the program is cut and the host goes: the pid stays.
CREATE VIEW leases (batch, items, attempt, owner, since, "left") AS
WITH owner_names (id, name) AS (
    SELECT id, CASE WHEN length(label) <= 17 THEN label
                    WHEN length(pid) BETWEEN 3 AND 16
                    THEN substr(label, 1, min(instr(label, '[') - 1, 17 - length(pid))) || pid
                    ELSE substr(label, 1, 17) END
      FROM (SELECT id, label, substr(label, instr(label, '['),
                                     instr(label, ']') - instr(label, '[') + 1) AS pid
              FROM owners))
SELECT b.id, b.items,
       b.attempts || '/' || max((SELECT value FROM settings WHERE name = 'attempts_max'),
                                ifnull(b.attempts_max, 0)),
       CASE WHEN b.lease_owner IS NULL THEN 'detached'
            ELSE ifnull((SELECT name FROM owner_names o WHERE o.id = b.lease_owner), 'gone') END,
       strftime('%Y-%m-%dT%H:%M:%SZ', b.leased_at / 1000, 'unixepoch'),
       -- Below zero it is overdue.
       CASE WHEN b.lease_expires_at > now THEN ((b.lease_expires_at - now + 999) / 1000) || 's'
            ELSE '-' || ((now - b.lease_expires_at) / 1000) || 's' END
  FROM batches b, queue_now
 WHERE b.state = 'leased' ORDER BY b.id;

-- What is not leasable now. A gate that waits for its trial batch lets nothing else through.
CREATE VIEW stuck (batch, items, why, leasable, last_error) AS
WITH barrier (shut, until, reason) AS (
    SELECT CASE WHEN g.state = 'closed' AND g.until IS NULL THEN 'when reopened'
                WHEN g.state = 'closed' AND g.until > now THEN 'timed'
                WHEN g.state = 'half_open' AND EXISTS (
                     SELECT 1 FROM batches t WHERE t.id = g.trial_batch_id AND t.state = 'leased'
                                               AND t.lease_expires_at > now) THEN 'after trial'
                END,
           ifnull(g.until, 0), g.reason
      FROM gate g, queue_now)
SELECT b.id, b.items,
       CASE WHEN b.state = 'leased' AND b.lease_expires_at > now THEN 'lease running'
            WHEN b.state = 'leased' THEN 'lease overdue'
            WHEN shut IN ('when reopened', 'after trial') THEN 'gate closed'
            WHEN shut = 'timed' AND until >= b.not_before THEN 'gate closed'
            ELSE 'backing off' END,
       CASE WHEN shut = 'when reopened' THEN shut
            WHEN shut = 'after trial' AND b.state = 'waiting' THEN shut
            ELSE printf('in %ds', (max(0, ifnull(b.lease_expires_at, b.not_before) - now,
                                       CASE shut WHEN 'timed' THEN until - now ELSE 0 END)
                                   + 999) / 1000) END,
       replace(replace(replace(substr(b.last_error, 1, 24),
               char(10), ' '), char(13), ' '), char(9), ' ')
  FROM batches b, barrier, queue_now
 WHERE b.state = 'leased' OR b.not_before > now OR shut IS NOT NULL
UNION ALL
SELECT NULL, items - waiting_items - leased_items, 'gate closed',
       CASE shut WHEN 'timed' THEN printf('in %ds', (until - now + 999) / 1000) ELSE shut END,
       replace(replace(replace(substr(reason, 1, 24),
               char(10), ' '), char(13), ' '), char(9), ' ')
  FROM totals, barrier, queue_now
 WHERE shut IS NOT NULL AND items - waiting_items - leased_items > 0;

CREATE VIEW resident (id, key, source, state, batch, attempt, age_s, expires_in) AS
SELECT i.id, i.key, i.source_tag,
       CASE WHEN b.id IS NOT NULL THEN b.state
            WHEN i.id > ifnull((SELECT last_id FROM batches ORDER BY first_id DESC LIMIT 1), 0)
            THEN 'ready' ELSE 'orphan' END,
       b.id, b.attempts, (now - i.enqueued_at) / 1000,
       CASE WHEN b.state = 'leased' THEN NULL ELSE
            CAST((SELECT value FROM settings WHERE name = 'age_max') AS INTEGER)
            - (now - i.enqueued_at) / 1000 END
  FROM queue_now, items i LEFT JOIN batches b
    ON b.first_id = (SELECT max(first_id) FROM batches WHERE first_id <= i.id)
   AND i.id <= b.last_id;

CREATE VIEW ready (id, key, source, bytes, age_s, expires_in) AS
SELECT i.id, i.key, i.source_tag, length(i.payload), (now - i.enqueued_at) / 1000,
       CAST((SELECT value FROM settings WHERE name = 'age_max') AS INTEGER)
       - (now - i.enqueued_at) / 1000
  FROM queue_now, items i
 WHERE i.id > ifnull((SELECT last_id FROM batches ORDER BY first_id DESC LIMIT 1), 0);

CREATE VIEW dead (reason, error, items, batches, oldest_s, newest_s) AS
SELECT reason,
       ifnull(replace(replace(replace(substr(last_error, 1, 24),
              char(10), ' '), char(13), ' '), char(9), ' '), ''),
       count(*), count(DISTINCT batch_id),
       (now - min(died_at)) / 1000, (now - max(died_at)) / 1000
  FROM dead_letters, queue_now GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2;

CREATE VIEW errors (error, outcome, attempts, last_seen) AS
SELECT ifnull(replace(replace(replace(substr(error, 1, 24),
              char(10), ' '), char(13), ' '), char(9), ' '), ''),
       outcome, count(*),
       strftime('%Y-%m-%dT%H:%M:%SZ', max(finished_at) / 1000, 'unixepoch')
  FROM attempts WHERE outcome <> 'acked' GROUP BY 1, 2 ORDER BY max(finished_at) DESC, 1, 2;

-- All that is known of a key, oldest first: where key = '...'. Of a split batch's items the attempts
-- of the parent count too.
CREATE VIEW trail (key, at, event, detail) AS
-- Not materialized: the key then goes to its index.
WITH delivered (key, batch) AS NOT MATERIALIZED (
    SELECT key, batch FROM resident WHERE batch IS NOT NULL
    UNION ALL
    SELECT r.key, b.parent_id FROM resident r JOIN batches b ON b.id = r.batch
     WHERE b.parent_id IS NOT NULL
    UNION ALL
    SELECT key, batch_id FROM dead_letters WHERE batch_id IS NOT NULL)
SELECT key, strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000, 'unixepoch'), event, detail FROM (
    SELECT key, enqueued_at AS at, 1 AS step, 'enqueued' AS event,
           printf('item %d, %d B%s', id, length(payload),
                  CASE tracked WHEN 1 THEN ', tracked' ELSE '' END) AS detail
      FROM items
    UNION ALL
    SELECT key, enqueued_at, 1, 'enqueued',
           printf('item %d, %d B%s', item_id, length(payload),
                  CASE tracked WHEN 1 THEN ', tracked' ELSE '' END)
      FROM dead_letters
    UNION ALL
    SELECT key, queued_at, 1, 'enqueued', printf('item %d', item_id) FROM outcomes o
     WHERE NOT EXISTS (SELECT 1 FROM dead_letters d WHERE d.item_id = o.item_id)
    UNION ALL
    -- Where an attempt ends in the millisecond that begins the next, its error comes first.
    SELECT d.key, a.started_at, 2 * a.attempt, 'attempt ' || a.attempt,
           printf('batch %d, %s', a.batch_id, ifnull(a.outcome, 'running'))
      FROM delivered d JOIN attempts a ON a.batch_id = d.batch
    UNION ALL
    SELECT d.key, a.finished_at, 2 * a.attempt + 1, 'error',
           replace(replace(replace(substr(a.error, 1, 24),
                   char(10), ' '), char(13), ' '), char(9), ' ')
      FROM delivered d JOIN attempts a ON a.batch_id = d.batch WHERE a.error IS NOT NULL
    UNION ALL
    SELECT key, died_at, 1000001, 'dead letter', printf('%s after %d attempt%s', reason, attempts,
                                                  CASE attempts WHEN 1 THEN '' ELSE 's' END)
      FROM dead_letters
    UNION ALL
    SELECT key, died_at, 1000002, 'error',
           replace(replace(replace(substr(last_error, 1, 24),
                   char(10), ' '), char(13), ' '), char(9), ' ')
      FROM dead_letters
     WHERE last_error IS NOT NULL
    UNION ALL
    SELECT key, settled_at, 1000003, 'outcome', state || ifnull(', ' || reason, '') FROM outcomes
    UNION ALL
    SELECT r.key, now, 1000004, 'now',
           r.state || ifnull(', batch ' || r.batch, '')
           || CASE WHEN b.state = 'leased' AND b.lease_expires_at > now
                   THEN printf(', %ds left', (b.lease_expires_at - now + 999) / 1000)
                   WHEN b.state = 'leased' THEN ', overdue'
                   WHEN b.not_before > now
                   THEN printf(', in %ds', (b.not_before - now + 999) / 1000)
                   WHEN b.state = 'waiting' THEN ', due' ELSE '' END
      FROM queue_now, resident r LEFT JOIN batches b ON b.id = r.batch)
 ORDER BY at, step;

CREATE VIEW ledger (entered, "left", resident, difference) AS
SELECT enqueued + redriven + edited,
       acked + rejected + evicted + expired + abandoned + cancelled,
       (SELECT count(*) FROM items),
       enqueued + redriven + edited
       - acked - rejected - evicted - expired - abandoned - cancelled - (SELECT count(*) FROM items)
  FROM totals;

CREATE VIEW range_faults (fault, batch, detail) AS
SELECT 'overlap', a.id, printf('%d..%d meets batch %d', a.first_id, a.last_id, b.id)
  FROM batches a JOIN batches b
    ON b.first_id = (SELECT min(first_id) FROM batches WHERE first_id > a.first_id)
 WHERE b.first_id <= a.last_id
UNION ALL
SELECT 'wrong count', b.id,
       printf('says %d items, %d bytes; has %d, %d', b.items, b.bytes,
              count(i.id), ifnull(sum(length(i.payload)), 0))
  FROM batches b LEFT JOIN items i ON i.id BETWEEN b.first_id AND b.last_id
 GROUP BY b.id HAVING count(i.id) <> b.items OR ifnull(sum(length(i.payload)), 0) <> b.bytes
UNION ALL
SELECT 'empty', b.id, printf('%d..%d has no item', b.first_id, b.last_id) FROM batches b
 WHERE NOT EXISTS (SELECT 1 FROM items i WHERE i.id BETWEEN b.first_id AND b.last_id)
UNION ALL
SELECT 'orphan', NULL, printf('item %d belongs to no batch', id) FROM resident WHERE state = 'orphan'
UNION ALL
SELECT 'wrong total', NULL, printf('%s says %d; rows say %d', name, counted, real) FROM (
    SELECT 'waiting_items' AS name, waiting_items AS counted,
           (SELECT ifnull(sum(items), 0) FROM batches WHERE state = 'waiting') AS real FROM totals
    UNION ALL
    SELECT 'leased_items', leased_items,
           (SELECT ifnull(sum(items), 0) FROM batches WHERE state = 'leased') FROM totals
    UNION ALL
    SELECT 'leased_bytes', leased_bytes,
           (SELECT ifnull(sum(bytes), 0) FROM batches WHERE state = 'leased') FROM totals
    UNION ALL
    SELECT 'bytes', bytes, (SELECT ifnull(sum(length(payload)), 0) FROM items) FROM totals)
 WHERE counted <> real;

CREATE VIEW help ("view", question, command) AS VALUES
    ('health', 'is it well?', 'headpond health'),
    ('leases', 'who works on what, how long?', 'headpond batches'),
    ('stuck', 'what does not move, and why?', 'headpond batches'),
    ('resident', 'where is each item?', 'headpond peek N'),
    ('ready', 'what waits for a batch?', 'headpond peek N'),
    ('trail', 'what happened to a key?', 'headpond why KEY'),
    ('dead', 'what was given up, and why?', 'headpond dead ls'),
    ('errors', 'what failed, how often?', 'headpond health'),
    ('counters', 'how many of each, ever?', 'headpond health'),
    ('ledger', 'is anything missing?', 'headpond check'),
    ('range_faults', 'was it edited or damaged?', 'headpond check'),
    ('settings', 'which limits hold?', 'headpond settings'),
    ('gate', 'is leasing stopped?', 'headpond resume');
