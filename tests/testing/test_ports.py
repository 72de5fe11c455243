import socket

import pytest

from hopline.testing import free_port


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_free_port_can_be_listened_on(host: str) -> None:
    port = free_port(host)

    with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
        pass

    assert 1024 <= port <= 65_535
