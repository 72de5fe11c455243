"""`python -m benchmarks.peers.http_ours PORT`: the application of the rule table, served by Hopline."""

import sys

from hopline.http import serve
from tests.http.echo import make_app

if __name__ == "__main__":
    raise SystemExit(serve(make_app, port=int(sys.argv[1]), workers=1))
