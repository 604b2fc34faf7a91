"""Word error rates, and whether one recogniser is really worse than another.

Both sides are normalised by Whisper's English normaliser (arXiv 2212.04356, appendix C) in every
language: it drops the accents that many of the references lack. The rate of a set is all its errors over all its
reference words. The paired bootstrap draws recordings with replacement, 10,000 times, and takes
the middle 95 % of the difference of the two rates.
"""
from dataclasses import dataclass

import jiwer
import numpy as np
from whisper_normalizer.english import EnglishTextNormalizer

RESAMPLES = 10_000
_normaliser = EnglishTextNormalizer()
# The prompts write digits where their speakers say words ("press 1"), and whether a recogniser
# writes "un" or "1" is not an error of hearing. English is the normaliser's own business.
_NUMBERS = {
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve",
    "fr": "zero un deux trois quatre cinq six sept huit neuf",
    "it": "zero uno due tre quattro cinque sei sette otto nove",
    "ru": "ноль один два три четыре пять шесть семь восемь девять",
}


def numbers_as_digits(text: str, language: str) -> str:
    """Normalised text with the words for zero to nine as digits."""
    digits = {word: str(n) for n, word in enumerate(_NUMBERS.get(language, "").split())}
    return " ".join(digits.get(word, word) for word in _normaliser(text).split())


def errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """Errors and reference words of one recording."""
    reference, hypothesis = _normaliser(reference).strip(), _normaliser(hypothesis).strip()
    if not reference:
        return 0, 0
    out = jiwer.process_words(reference, hypothesis)
    return out.substitutions + out.deletions + out.insertions, out.hits + out.substitutions + out.deletions


@dataclass
class Comparison:
    """Rates in percent; difference is ours minus theirs, with its 95 % interval."""

    prompts: int
    ours: float
    theirs: float
    difference: float
    low: float
    high: float

    @property
    def not_worse(self) -> bool:
        """Neither worse beyond chance nor by more than half a point."""
        return self.low <= 0 and self.difference <= 0.5


def compare(ours: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> Comparison:
    """Compares the errors of two recognisers on the same recordings, in the same order."""
    mine, other = np.array(ours, float), np.array(theirs, float)
    picks = np.random.default_rng(20261122).integers(0, len(mine), (RESAMPLES, len(mine)))
    references = mine[:, 1][picks].sum(axis=1)
    differences = 100 * (mine[:, 0] - other[:, 0])[picks].sum(axis=1) / references
    low, high = np.percentile(differences, [2.5, 97.5])
    words = mine[:, 1].sum()
    a, b = (100 * side[:, 0].sum() / words for side in (mine, other))
    return Comparison(len(mine), a, b, a - b, low, high)
