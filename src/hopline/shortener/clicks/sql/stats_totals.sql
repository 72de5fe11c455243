SELECT link, clicks, humans, bots, heads, prefetches, last_click FROM totals
WHERE link IN (SELECT value FROM json_each(?));
