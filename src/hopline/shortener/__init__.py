"""The link shortener: an application over the blocks.

main.py        puts everything together; `run` is the server, `create_app` one worker's application
settings.py    every setting
redirect.py    the hot path: a code to an answer, with its click recorded
links/         links, codes, addresses, the store
clicks/        from an answered redirect to a row in clicks.db
access/        keys, roles, sessions
api/           links as JSON
dashboard/     links as pages
health.py      /health and /metrics
notices.py     what a visitor reads where a link leads nowhere
data_folder.py the folder that holds everything
"""
