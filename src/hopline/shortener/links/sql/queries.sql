-- name: lease
UPDATE counter SET next = next + :size WHERE name = 'links' RETURNING next;

-- name: note_lease
INSERT INTO lease_days (day, leased) VALUES (CAST(strftime('%s', 'now') AS INTEGER) / 86400, :size)
ON CONFLICT (day) DO UPDATE SET leased = leased + :size;

-- name: insert_link
INSERT INTO links (id, url, created_at, updated_at, expires_at, user_id, redirect_status, custom_code)
VALUES (:id, :url, :now, :now, :expires_at, :user_id, :redirect_status, :custom_code);

-- name: insert_custom
INSERT INTO custom_codes (code, link_id) VALUES (:code, :id);

-- name: custom_taken
SELECT 1 FROM custom_codes WHERE code = :code;

-- name: computed_taken
SELECT 1 FROM links WHERE id = :id AND custom_code IS NULL
UNION ALL
SELECT 1 FROM retired WHERE id = :id;

-- name: by_id
SELECT id, url, created_at, updated_at, expires_at, user_id, redirect_status, custom_code
FROM links WHERE id = :id AND custom_code IS NULL;

-- name: by_custom
SELECT id, url, created_at, updated_at, expires_at, user_id, redirect_status, custom_code
FROM links WHERE id = (SELECT link_id FROM custom_codes WHERE code = :code);

-- name: update
UPDATE links SET url = :url, expires_at = :expires_at, user_id = :user_id, redirect_status = :redirect_status,
    updated_at = :now
WHERE id = :id;

-- name: retire
INSERT INTO retired (id) VALUES (:id);

-- name: delete
DELETE FROM links WHERE id = :id;

-- name: page
-- A search reads every row it passes over; the caller bounds its time. lower() on both sides, since it knows ASCII only.
SELECT id, url, created_at, updated_at, expires_at, user_id, redirect_status, custom_code
FROM links
WHERE id < :before
  AND (:search IS NULL OR instr(lower(url), lower(:search)) OR instr(lower(custom_code), lower(:search))
       OR (id = :search_id AND custom_code IS NULL))
ORDER BY id DESC LIMIT :limit;

-- name: page_of_user
SELECT id, url, created_at, updated_at, expires_at, user_id, redirect_status, custom_code
FROM links
WHERE user_id = :user_id AND id < :before
  AND (:search IS NULL OR instr(lower(url), lower(:search)) OR instr(lower(custom_code), lower(:search))
       OR (id = :search_id AND custom_code IS NULL))
ORDER BY id DESC LIMIT :limit;
