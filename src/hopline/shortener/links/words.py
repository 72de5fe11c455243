"""Codes people would rather not get: characters that look alike, and strings that read as rude.

Only generated codes are held to this, by setting; the next counter value is taken instead. Rude words are
kept as scrambled stems (ROT13), so that opening this file doesn't shout at anyone. Pure.
"""

import codecs
from typing import Final

__all__ = ["is_rude", "looks_alike"]

_LOOK_ALIKE: Final = frozenset("0Oo1lIi5S2Z8B")
# Digits and letters read as one another in small print; folded before the search.
_FOLD: Final = str.maketrans("0134578@$", "oieastbas")
# English, German, French, Spanish, Italian, Dutch, Polish: three to six letters, as parts of a code of six.
_STEMS: Final = tuple(
    codecs.decode(
        "nff|nany|nefr|ovgpu|obbo|pbpx|phag|phz|qvpx|qlxr|snt|snpx|shpx|shx|shpk|grgn|wvmm|xvyy|antm|avtt|anmv|"
        "cravf|cvff|cbea|cevpx|chffl|encr|encvf|frk|fuvg|fyhg|gvgf|gheq|gjng|jnax|juber|kkk|"
        "nefpu|svpx|svg|sbgm|uher|xnpx|zhfpu|avttre|fpurvff|fnh|gvgg|jvkf|"
        "ovgr|pba|phy|zreqr|chgr|fnybc|cbyyn|pntn|pbab|chgn|pnmm|svtn|zreqn|fgebam|xhg|xnax|yhy|ubre|xhejn|pvcn|qhcn"
        "|ubzb|fyni|xxx|uvgyre|fff",
        "rot13",
    ).split("|")
)


def looks_alike(code: str) -> bool:
    """Whether `code` has a character that is easily taken for another one."""
    return not _LOOK_ALIKE.isdisjoint(code)


def is_rude(code: str) -> bool:
    """Whether `code`, read generously, contains a word nobody wants on a poster."""
    folded = code.lower().translate(_FOLD)
    return any(stem in folded for stem in _STEMS)
