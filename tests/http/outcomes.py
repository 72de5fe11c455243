"""Reading what a server answered: the statuses in their order, and how the connection ended."""

import re
import socket
from dataclasses import dataclass

from tests.http.rules import Rule

__all__ = ["Answer", "MalformedAnswer", "exchange", "judge", "outcome", "read_answers", "read_until_closed"]

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) [^\r\n\0]*")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*)")


class MalformedAnswer(Exception):
    """What came is not a sequence of HTTP/1.1 answers."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One final or interim answer; field names in lower case."""

    status: int
    fields: list[tuple[bytes, bytes]]
    body: bytes

    def all(self, name: bytes) -> list[bytes]:
        """Every value of `name`."""
        return [value for field, value in self.fields if field == name]


def read_answers(data: bytes, *, head: bool = False, ended: bool = True) -> list[Answer]:
    """All answers in `data`; with `head` the first is one to HEAD. MalformedAnswer where a byte is out of place."""
    answers: list[Answer] = []
    while data:
        raw, end, data = data.partition(b"\r\n\r\n")
        lines = raw.split(b"\r\n")
        status = _STATUS.fullmatch(lines[0])
        matches = [_FIELD.fullmatch(line) for line in lines[1:]]
        if not end or status is None or None in matches:
            raise MalformedAnswer(f"not the head of an answer: {raw[:200]!r}")
        fields = [(match[1].lower(), match[2].strip()) for match in matches if match is not None]
        answer = Answer(int(status[1]), fields, b"")
        finals = sum(one.status >= 200 for one in answers)
        if answer.status >= 200 and answer.status not in (204, 304) and not (head and not finals):
            body, data = _body(answer, data, ended)
            answer = Answer(answer.status, fields, body)
        answers.append(answer)
    return answers


def _body(answer: Answer, data: bytes, ended: bool) -> tuple[bytes, bytes]:
    lengths, codings = answer.all(b"content-length"), answer.all(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise MalformedAnswer(f"framed more than once: {answer.fields}")
    if lengths:
        length = int(lengths[0])
        if len(data) < length:
            raise MalformedAnswer(f"{len(data)} of {length} bytes of a body")
        return data[:length], data[length:]
    if codings:
        return _chunks(data)
    if not ended:
        raise MalformedAnswer("a body without an end")
    return data, b""


def _chunks(data: bytes) -> tuple[bytes, bytes]:
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if len(data) < length + 2 or data[length : length + 2] != b"\r\n":
            raise MalformedAnswer(f"a chunk is cut: {data[:40]!r}")
        body, data = body + data[:length], data[length + 2 :]
        if not length:
            return body, data


def outcome(data: bytes, *, head: bool, ended: bool) -> str:
    """In the words of rules.py: "200 200 probe", "400 closed", "silent" where nothing came and nobody closed."""
    try:
        answers = [one for one in read_answers(data, head=head, ended=ended) if one.status >= 200]
    except (MalformedAnswer, ValueError):
        return "malformed"
    for answer in answers:
        if answer.status in (204, 304) and (answer.status == 204 and answer.all(b"content-length")):
            return "204 with a length"
        if answer.status < 400 and not answer.all(b"date"):
            return "no Date"
    probed = bool(answers) and answers[-1].body == b"probe"
    words = [str(answer.status) for answer in (answers[:-1] if probed else answers)]
    words.append("probe" if probed else "closed" if ended else "silent")
    return " ".join(words)


def judge(rule: Rule, data: bytes, *, ended: bool) -> tuple[str, bool]:
    """The outcome, and whether it is right."""
    found = outcome(data, head=rule.head, ended=ended)
    if rule.never and rule.never in data:
        return f"{found}, with {rule.never.decode('latin-1')!r}", False
    if rule.says and found in rule.right and found[0] == "2" and rule.says not in data:
        return f"{found}, without {rule.says.decode('latin-1')!r}", False
    return found, found in rule.right


def exchange(address: tuple[str, int], rule: Rule, *, patience: float) -> tuple[bytes, bool]:
    """Send a rule's stream; what came within `patience` seconds, and whether the server closed."""
    with socket.create_connection(address, timeout=patience) as client:
        try:
            client.sendall(rule.stream)
        except (ConnectionError, TimeoutError):
            pass  # it closed, or reads no more: what it said before can still be there
        return read_until_closed(client)


def read_until_closed(client: socket.socket) -> tuple[bytes, bool]:
    """All that comes, and whether the peer closed; a reset counts as closed."""
    parts = []
    try:
        while part := client.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        return b"".join(parts), True
    except TimeoutError:
        return b"".join(parts), False
    return b"".join(parts), True
