INSERT INTO breakdown (link, day, dimension, value, clicks)
VALUES (?, ?, ?, ?, ?)
ON CONFLICT (link, day, dimension, value) DO UPDATE SET clicks = clicks + excluded.clicks;
