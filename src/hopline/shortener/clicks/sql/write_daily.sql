INSERT INTO daily (link, day, breadth, sketch)
VALUES (?, ?, ?, ?)
ON CONFLICT (link, day) DO UPDATE SET breadth = excluded.breadth, sketch = excluded.sketch;
