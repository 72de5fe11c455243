INSERT INTO api_keys (id, secret_hash, name, role, created_at) VALUES (?, ?, ?, ?, ?);
