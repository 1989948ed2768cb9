"""What secrets and personal data look like: the built-in patterns of the redactor.

Patterns run on RE2, which cannot backtrack, over texts that anybody may have written. They find what has a
shape of its own (`ghp_…`, a JWT, an e-mail address) or stands beside its name (`password=…`). A password
that stands alone looks like any other word: no pattern finds it, and nobody should think so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

SECRET: Final = "secret"  # noqa: S105 - the word for one
"""Kind of a secret that is known by the name beside it only; also the name of the group that holds the
secret in a pattern, where the pattern needs more than the secret to find it."""

_NAMES: Final = (
    "api[_-]?key|api[_-]?secret|secret[_-]?key|access[_-]?key|secret[_-]?access[_-]?key|private[_-]?key"
    "|client[_-]?secret|access[_-]?token|refresh[_-]?token|auth[_-]?token|id[_-]?token|session[_-]?token"
    "|authorization|password|passwd|pwd|passphrase|secret|token"
)
_QUOTES: Final = r"""["'\\]{0,4}"""
_VALUE: Final = r"""[^\s"'\\,;&<>\[\](){}]"""
_SCHEME: Final = r"(?:(?:basic|bearer|token|digest)\s+)?"
_HEADER: Final = r"(?:(?:proxy-)?authorization|(?:set-)?cookie)"
_BESIDE: Final = rf"(?is)(?:{_NAMES}|cookie){_QUOTES}\s*[:=]>?\s*"

BESIDE: Final = (
    # In quotes, up to the closing ones; where those are cut off, to the end. Escaped quotes are those of
    # JSON in JSON, once and twice.
    _BESIDE + r'"(?P<secret>(?:[^"\\]|\\.)*)(?:"|\z)',
    _BESIDE + r"'(?P<secret>(?:[^'\\]|\\.)*)(?:'|\z)",
    _BESIDE + r'\\"(?P<secret>(?:[^"\\]|\\\\\\"|\\[^"])*)(?:\\"|\z)',
    _BESIDE + r'\\\\\\"(?P<secret>[^"]*?)(?:\\\\\\"|\z)',
    # Headers: one that begins a line is all of the line.
    rf"(?im)^[ \t]*{_HEADER}[ \t]*:[ \t]*{_SCHEME}(?P<secret>\S[^\r\n]*)",
    rf"(?i)\b{_HEADER}[ \t]*:[ \t]*{_SCHEME}(?P<secret>[^\s\"'\\][^\r\n\"'\\]*)",
    # Without quotes: a word.
    rf"(?i)(?:{_NAMES}){_QUOTES}\s*[:=]>?\s*{_QUOTES}{_SCHEME}(?P<secret>{_VALUE}{{6,}})",
)
"""RE2 patterns of what stands beside its name. They look at a text as a whole, with the placeholders in it,
as a secret may hold what has a shape of its own."""

# In this order: what holds others first. None may match what an earlier one, or itself, put in place.
SHAPES: Final[Mapping[str, str]] = {
    "private_key": r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?"
    r"(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\z)",
    "credentials": r"(?i)\b[a-z][a-z0-9+.-]{1,20}://(?P<secret>[^\s/@:\"'<>\[\]]*:[^\s/@\"'<>\[\]]+)@",
    "token": r"\beyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?"  # JWT
    r"|(?i:\bbearer\s+)(?P<secret>[A-Za-z0-9._~+/-]{20,}=*)",
    "key": r"\bsk-[\w-]{16,}|\b[rsp]k_(?:live|test)_\w{10,}"  # OpenAI, Anthropic and those like them; Stripe
    r"|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}"
    r"|\bxox[abceoprs]-[A-Za-z0-9-]{10,}|\bxapp-[A-Za-z0-9-]{10,}"
    r"|\bhf_[A-Za-z0-9]{20,}|\blsv2_(?:pt|sk)_\w{20,}|\bgsk_\w{20,}|\bxai-\w{20,}|\btvly-[\w-]{16,}"
    r"|\bnvapi-[\w-]{20,}|\bnpm_[A-Za-z0-9]{30,}|\bpypi-[\w-]{30,}|\bSG\.[\w-]{16,}\.[\w-]{16,}",
    "email": r"[\pL\pN][\pL\pN._%+'-]*(?:@|%40)(?:[\pL\pN-]+\.)+\pL\pL+",
}
"""RE2 pattern of each kind, by the kind's name. `BESIDE` goes before `email`."""

SHORTEST: Final = 6
"""Fewest characters in which one of these patterns finds something: `a@b.cd`."""

_SECRET_NAMES: Final = frozenset(
    "apikey apisecret secretkey accesskey secretaccesskey privatekey clientsecret accesstoken refreshtoken"
    " authtoken idtoken sessiontoken xapikey password passwd pwd passphrase secret authorization"
    " proxyauthorization cookie setcookie".split()
)
_NO_SECRET_TOKENS: Final = frozenset("bos cls each eos mask next page pad per sep stop unk".split())
"""Words before `token` with which it is none: pages, vocabularies, prices."""
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W_A-Z]+")
_LONGEST_NAME: Final = 80


@lru_cache(maxsize=4096)
def names_a_secret(key: str) -> bool:
    """Whether what stands under this key of a JSON object is a secret, whatever it looks like.

    It is where the key is a telling name or ends in one: `password`, `DB_PASSWORD`, `x.apiKey`. A lone
    `token` is none, as models' vocabularies are full of them; `HF_TOKEN` is.
    """
    words = [word.lower() for word in _WORD.findall(key[-_LONGEST_NAME:])]
    if any("".join(words[at:]) in _SECRET_NAMES for at in range(max(0, len(words) - 4), len(words))):
        return True
    return len(words) > 1 and words[-1] == "token" and words[-2] not in _NO_SECRET_TOKENS
