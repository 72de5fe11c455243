SELECT id, name, role, created_at, last_used_at, revoked_at FROM api_keys
WHERE id = ? AND revoked_at IS NULL;
