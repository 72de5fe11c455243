DELETE FROM segments WHERE id = ?;
