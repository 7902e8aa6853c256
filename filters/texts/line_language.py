"""Is a line in another language than it should be, of those that share its script? The first answer, by function words alone.

Legend: _W word of the line, _L language of filters/texts/function_words.py.
"""

from __future__ import annotations

import numpy as np

from dataengine.kernels.hashing import compiled

LONG_LINE = 80
"""Letters from which fastText is right in 99 % of lines (measured; 79 % at 20 letters)."""

OWN, PROVEN, ASK, SHORT = range(4)
"""Its own language, foreign for sure, long and to be asked about, or foreign by its function words but short."""


@compiled
def judge(keys_W: np.ndarray, masks_W: np.ndarray, letters: int, language: int, family: int, family_L: np.ndarray) -> tuple[int, int]:
    """(what is known of a line, the rival language or -1).

    `keys_W` uint64: the words' hashes, `masks_W` uint64: the languages whose function words they are; `language` the wanted one, -1 where
    we have no words of it; `family` its script, `family_L` the script of each language. A line is OWN where a twelfth of its words are its
    own function words and no other language has more; PROVEN where a rival has four that are not ours, three of them different, and
    three times as many as we have that are not its own. The bars are ours.
    """
    hits_L = np.zeros(len(family_L), dtype=np.int64)
    for mask in masks_W:
        rest, place = mask, 0
        while rest != 0:
            hits_L[place] += np.int64(rest & np.uint64(1))
            rest, place = rest >> np.uint64(1), place + 1
    own = hits_L[language] if language >= 0 else 0
    rival, most = -1, 0
    for place in range(len(hits_L)):
        if place != language and family_L[place] == family and hits_L[place] > most:
            rival, most = place, hits_L[place]
    if most <= own and 12 * own >= len(masks_W):
        return OWN, -1
    ours, theirs = np.uint64(1) << np.uint64(max(language, 0)), np.uint64(1) << np.uint64(max(rival, 0))
    only_theirs = only_ours = different = 0
    first = second = np.uint64(0)
    for word in range(len(masks_W)):
        if masks_W[word] & theirs != 0 and masks_W[word] & ours == 0:
            only_theirs += 1
            if different == 0 or (keys_W[word] != first and (different == 1 or keys_W[word] != second)):
                first, second, different = keys_W[word], first, different + 1
        only_ours += np.int64(masks_W[word] & ours != 0 and masks_W[word] & theirs == 0)
    leads = language >= 0 and most > own and different >= 2
    if leads and different >= 3 and only_theirs >= 4 and only_theirs > 3 * only_ours and 6 * most >= len(masks_W):
        return PROVEN, rival
    if letters >= LONG_LINE:
        return ASK, rival
    if leads and most >= max(3, len(masks_W) // 8) and only_theirs >= 2 and only_theirs > 2 * only_ours:
        return SHORT, rival
    return OWN, -1
