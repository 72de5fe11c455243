"""What one tail of a click record says: the values that are counted, worked out once for all equal tails."""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from hopline.shortener.clicks.agents import parse_agent
from hopline.shortener.clicks.dimensions import DIMENSION_IDS
from hopline.shortener.clicks.event import ClickKind, split_tail
from hopline.shortener.clicks.referrers import UTM_FIELDS, campaign, primary_language, referrer_host

__all__ = ["FactFinder", "Facts"]

_KINDS: Final = frozenset(map(int, ClickKind))
Values = tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """One tail, worked out. `values` are (dimension id, value) pairs: only "bot" for a bot."""

    kind: int
    human: bool
    agent_hash: int  # 64 bits, the same in every process
    values: Values


class FactFinder:
    """Works out tails, and keeps the 8,192 seen last. Not thread-safe."""

    def __init__(self, own_hosts: frozenset[str] = frozenset()) -> None:
        self._own_hosts = own_hosts
        self.find = lru_cache(maxsize=8192)(self._find)
        # The parts of a tail repeat far more often than whole tails.
        self._agent = lru_cache(maxsize=8192)(_agent_facts)
        self._origin = lru_cache(maxsize=8192)(self._origin_values)

    def _find(self, tail: bytes) -> Facts:
        """The facts of a tail. ValueError where it is not a tail that this version knows."""
        country, kind, agent, referrer, language, query = split_tail(tail)
        if kind not in _KINDS:
            raise ValueError(f"a click of kind {kind}; this version knows {sorted(_KINDS)}")
        # Strings come as they stood in the head: taking white space off costs less here than on the hot path.
        human, agent_hash, values = self._agent(agent.strip())
        if human:
            values += self._origin(country, referrer.strip(), language.strip()) + _campaign_values(query)
        return Facts(kind, human, agent_hash, values)

    def _origin_values(self, country: bytes, referrer: bytes, language: bytes) -> Values:
        return _known(
            country=country.decode() if country.isalpha() else None,
            referrer=referrer_host(referrer, self._own_hosts),
            language=primary_language(language),
        )


def _agent_facts(agent: bytes) -> tuple[bool, int, Values]:
    """Whether a person uses it, its hash, its values."""
    parsed = parse_agent(agent)
    agent_hash = int.from_bytes(blake2b(agent, digest_size=8).digest(), "little")
    if parsed.bot is not None:
        return False, agent_hash, _known(bot=parsed.bot)
    return True, agent_hash, _known(browser=parsed.browser, os=parsed.os, device=parsed.device)


def _campaign_values(query: bytes) -> Values:
    return _known(**dict(zip(UTM_FIELDS, campaign(query), strict=True))) if b"utm_" in query else ()


def _known(**values: str | None) -> Values:
    return tuple((DIMENSION_IDS[name], value) for name, value in values.items() if value is not None)
