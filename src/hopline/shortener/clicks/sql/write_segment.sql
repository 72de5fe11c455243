INSERT INTO segments (id, position, damaged, skipped, finished_at)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    position = excluded.position,
    damaged = excluded.damaged,
    skipped = excluded.skipped,
    finished_at = excluded.finished_at;
