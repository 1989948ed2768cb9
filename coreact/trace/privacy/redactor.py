"""Replaces secrets and personal data in a text by stable placeholders such as `[email:3fa2b1c9]`.

The same secret always gets the same placeholder from one redactor, so what depends on two texts being equal
(where a value came from, which call was repeated) can still be judged. The suffix is a keyed hash: without
the key nobody can try guesses against it. What a secret looks like stands in `shapes`; what is done with
whole records in `records`. Nothing here is certain: patterns find what has a shape.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import re2

from coreact.errors import ConfigError
from coreact.trace.privacy.shapes import BESIDE, SECRET, SHAPES, SHORTEST

Finder = Callable[[str], Iterable[str]]
"""A user's own eye: gives the secrets that stand in a text. Should be quick, and must be pure."""

_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,30}")
_PLACED: Final = re.compile(rb"(\[[a-z][a-z0-9_]{0,30}:[0-9a-f]{8}\])")
_SCHEMES: Final = frozenset((b"basic", b"bearer", b"digest", b"token"))
_BETWEEN: Final = "\n\x00\n"  # is no letter, and a line of its own: texts joined by it match as they do alone
_EMAIL: Final = "email"
Span = tuple[int, int]


class Redactor:
    """Finds secrets in texts and replaces them. Safe to share between runs and threads."""

    def __init__(
        self,
        *,
        patterns: Mapping[str, str] | None = None,
        finders: Mapping[str, Finder] | None = None,
        key: bytes | None = None,
    ) -> None:
        r"""Use the built-in patterns, and the user's after them.

        Args:
            patterns: RE2 patterns by the kind of what they find (`{"order": r"ORD-\d{6}"}`). Where a pattern
                has a group named `secret`, only that part is replaced.
            finders: functions that give the secrets in a text, by kind.
            key: 1 to 64 bytes that the placeholders are made with; None: drawn at random, so that
                placeholders of different redactors cannot be compared.

        Raises:
            ConfigError: a kind is no lower-case word, a pattern is no RE2 pattern, or the key is of no use.
        """
        if key is not None and not 1 <= len(key) <= 64:
            raise ConfigError(f"The key of a redactor has {len(key)} bytes.", remedy="Give it 1 to 64.")
        self._key = secrets.token_bytes(32) if key is None else key
        self._finders = dict(finders or {})
        own = dict(patterns or {})
        for kind in (*own, *self._finders):
            if not _KIND.fullmatch(kind):
                raise ConfigError(
                    f"{kind!r} is no name for a kind of secret.",
                    remedy="Use lower-case letters, digits and _.",
                )
        built_in = [(kind, pattern) for kind, pattern in SHAPES.items() if kind != _EMAIL]
        built_in += [*((SECRET, pattern) for pattern in BESIDE), (_EMAIL, SHAPES[_EMAIL])]
        self._shapes = [(kind, _compiled(kind, pattern)) for kind, pattern in built_in]
        self._patterns = [(kind, _compiled(kind, pattern)) for kind, pattern in own.items()]
        self._any = re2.Set.SearchSet(_options())
        for _, pattern in built_in:
            self._any.Add(pattern)
        self._any.Compile()

    def text(self, text: str) -> str:
        """The text with every secret that was found replaced; the same object where there is none."""
        if not text:
            return text
        body = text.encode("utf-8", "surrogatepass")
        changed = body
        for at in sorted(self._any.Match(body) or ()):
            kind, pattern = self._shapes[at]
            replaced = self._beside if kind == SECRET else self._replaced
            changed = replaced(kind, pattern, changed)
        for kind, pattern in self._patterns:
            changed = self._replaced(kind, pattern, changed)
        for kind, finder in self._finders.items():
            shown = changed.decode("utf-8", "surrogatepass")
            for found in sorted(set(finder(shown)), key=lambda found: (-len(found), found)):
                if found:
                    literal = re2.compile(re2.escape(found.encode("utf-8", "surrogatepass")), _options())
                    changed = self._replaced(kind, literal, changed)
        return text if changed == body else changed.decode("utf-8", "surrogatepass")

    def replaced(self, texts: Iterable[str]) -> dict[str, str]:
        """Those of many texts in which something was found, each with what it becomes.

        Where nothing is found, and there are only the built-in patterns, that costs one search.
        """
        if not (self._patterns or self._finders):
            texts = [text for text in texts if len(text) >= SHORTEST]
            if not self._any.Match(_BETWEEN.join(texts).encode("utf-8", "surrogatepass")):
                return {}
        cleaned = ((text, self.text(text)) for text in set(texts))
        return {text: clean for text, clean in cleaned if clean != text}

    def whole(self, value: str | float) -> str:
        """The placeholder of a value that is a secret as a whole; one that is a placeholder stays."""
        secret = str(value).encode("utf-8", "surrogatepass")
        if not secret or _PLACED.fullmatch(secret):
            return str(value)
        return self._placeholder(SECRET, secret).decode()

    def keyed(self, digest: str) -> str:
        """A digest that only this key's owner could have made; equal for equal ones."""
        return f"keyed.1:{blake2b(digest.encode(), key=self._key, digest_size=16).hexdigest()}"

    def _placeholder(self, kind: str, secret: bytes) -> bytes:
        return f"[{kind}:{blake2b(secret, key=self._key, digest_size=4).hexdigest()}]".encode()

    def _replaced(self, kind: str, pattern: Any, body: bytes) -> bytes:
        parts = _PLACED.split(body)  # what was put in place is at the odd ones
        parts[::2] = [self._without(kind, pattern, part) for part in parts[::2]]
        return b"".join(parts)

    def _beside(self, kind: str, pattern: Any, body: bytes) -> bytes:
        return self._without(kind, pattern, body, placed=[one.span() for one in _PLACED.finditer(body)])

    def _without(self, kind: str, pattern: Any, body: bytes, *, placed: Sequence[Span] = ()) -> bytes:
        pieces, end = [], 0
        group = pattern.groupindex.get(SECRET, 0)
        for match in pattern.finditer(body):
            begin, after = match.span(group)
            if begin < 0:  # another branch of the pattern matched
                begin, after = match.span()
            secret = body[begin:after]
            if begin == after or secret.lower() in _SCHEMES or _PLACED.fullmatch(secret):
                continue
            if any(first <= match.start() < last or first < after < last for first, last in placed):
                continue  # the words of a placeholder say nothing
            pieces += [body[end:begin], self._placeholder(kind, secret)]
            end = after
        return b"".join([*pieces, body[end:]]) if pieces else body


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    return options


def _compiled(kind: str, pattern: str) -> Any:
    try:
        return re2.compile(pattern, _options())
    except (re2.error, UnicodeEncodeError) as error:
        raise ConfigError(
            f"The pattern for {kind!r} is no RE2 pattern: {error}.", remedy="See RE2's syntax."
        ) from error
