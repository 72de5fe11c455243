SELECT id, position, damaged, skipped, finished_at FROM segments;
