"""What Hopline's own tests are made of, for yours: real servers, faults on the wire, and a clock that obeys.

    from hopline.testing import ServerProcess, TcpProxy, free_port

    port = free_port()
    with ServerProcess(["valkey-server", "--port", str(port)], address=("127.0.0.1", port)) as server:
        with TcpProxy(server.address) as proxy:
            client = connect("127.0.0.1", proxy.port)
            proxy.cut()   # what does the client do now?
            server.kill() # and now?

Nothing here needs a test framework, and nothing outlives its `with`.
"""

from hopline.clock import ManualClock
from hopline.testing.ports import free_port
from hopline.testing.processes import ProcessFailed, ServerProcess
from hopline.testing.proxy import ProxyError, ProxyStats, TcpProxy

__all__ = ["ManualClock", "ProcessFailed", "ProxyError", "ProxyStats", "ServerProcess", "TcpProxy", "free_port"]
