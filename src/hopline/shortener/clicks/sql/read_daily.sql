SELECT breadth, sketch FROM daily WHERE link = ? AND day = ?;
