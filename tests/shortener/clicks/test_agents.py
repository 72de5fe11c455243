import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from hopline.shortener.clicks.agents import Agent, parse_agent
from tests.shortener.clicks.clicking import CHROME, IPHONE

PEOPLE = [
    (CHROME, Agent("Chrome", "Windows", "desktop", None)),
    (IPHONE, Agent("Mobile Safari", "iOS", "mobile", None)),
    (
        b"Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
        b" Safari/537.36",
        Agent("Chrome", "Android", "tablet", None),
    ),
    (
        b"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
        b" Mobile Safari/537.36",
        Agent("Chrome Mobile", "Android", "mobile", None),
    ),
    (
        b"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        b" Version/17.5 Mobile/15E148 Safari/604.1",
        Agent("Mobile Safari", "iOS", "tablet", None),
    ),
    (
        b"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        Agent("Firefox", "Linux", "desktop", None),
    ),
    (
        b"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
        b" Version/17.5 Safari/605.1.15",
        Agent("Safari", "Mac OS X", "desktop", None),
    ),
    (
        b"Mozilla/5.0 (SMART-TV; Linux; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) Version/6.0 TV Safari/537.36",
        Agent("Safari", "Tizen", "other", None),
    ),
    # A phone whose maker's name holds "bot".
    (
        b"Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/99.0"
        b" Mobile Safari/537.36",
        Agent("Chrome", "Android", "mobile", None),
    ),
]
BOTS = [
    (b"", "(empty)"),
    (b" \t", "(empty)"),
    (b"\x00\x01", "(empty)"),
    (b"curl/8.5.0", "curl"),
    (b"Wget/1.21.4", "Wget"),
    (b"python-requests/2.32.3", "python-requests"),
    (b"Go-http-client/2.0", "Go-http-client"),
    (b"Java/21.0.1", "Java"),
    (b"PostmanRuntime/7.39.0", "PostmanRuntime"),
    (b"my-script/1.0", "my-script"),
    (b"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "Googlebot"),
    (b"Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", "bingbot"),
    (b"Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "Slackbot"),
    (b"facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "facebookexternalhit"),
    (b"WhatsApp/2.23.20.0", "WhatsApp"),
    (
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/126.0.0.0"
        b" Safari/537.36",
        "HeadlessChrome",
    ),
]


@pytest.mark.parametrize(("text", "agent"), PEOPLE)
def test_browsers_are_people(text: bytes, agent: Agent) -> None:
    assert parse_agent(text) == agent


@pytest.mark.parametrize(("text", "name"), BOTS)
def test_bots_tools_and_libraries_are_named(text: bytes, name: str) -> None:
    agent = parse_agent(text)
    assert (agent.bot, agent.device) == (name, "bot")


def test_every_crawler_that_the_list_knows_is_a_bot_with_a_name() -> None:
    # The patterns run on another engine than the list's own: both must agree on all of its examples.
    agents = [instance for entry in CRAWLER_USER_AGENTS_DATA for instance in entry["instances"]]
    assert len(agents) > 2000
    assert [agent for agent in agents if not parse_agent(agent.encode()).bot] == []


@given(st.binary(max_size=512))
def test_anything_at_all_is_an_agent_with_bounded_names(text: bytes) -> None:
    agent = parse_agent(text)
    for name in (agent.browser, agent.os, agent.bot or ""):
        assert len(name) <= 60
        assert name == "" or name.isprintable()
