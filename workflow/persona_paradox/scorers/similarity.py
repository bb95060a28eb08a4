"""How much two texts have in common: the cosine of their TF-IDF vectors.

The formula is that of scikit-learn's `TfidfVectorizer` with its defaults (smooth inverse document
frequency, words of two letters and more), written out, since to import it takes longer than to
score a cell; a test holds it against scikit-learn.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable

# The words of scikit-learn's vectorizers.
_WORD = re.compile(r"\b\w\w+\b")


class TfIdf:
    """Weights of words, by how many documents have them.

    Args:
        documents: the texts that say how common a word is.
    """

    def __init__(self, documents: Iterable[str]) -> None:
        self._having: Counter[str] = Counter()
        self._n = 0
        for document in documents:
            self._n += 1
            self._having.update(set(_words(document)))

    def cosine(self, text: str, other: str) -> float:
        """Cosine of two texts, from 0 to 1: of w(word) = count · (ln((1 + n) / (1 + n_word)) + 1).

        n are the documents, n_word those with the word: 0 of a word that none has, which counts all
        the same. A text without words has nothing in common with any.
        """
        one, two = self._weights(text), self._weights(other)
        length = math.sqrt(_squares(one) * _squares(two))
        if not length:
            return 0.0
        # Sorted and summed exactly, so that no order of words or processors matters.
        shared = math.fsum(one[word] * two[word] for word in sorted(one.keys() & two.keys()))
        return min(1.0, shared / length)

    def _weights(self, text: str) -> dict[str, float]:
        return {
            word: count * (math.log((1 + self._n) / (1 + self._having[word])) + 1)
            for word, count in Counter(_words(text)).items()
        }


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _squares(weights: dict[str, float]) -> float:
    return math.fsum(value**2 for value in weights.values())
