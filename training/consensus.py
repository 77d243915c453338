"""How much each caption should count: the more, the better it agrees with the other captions of its photo."""

from collections.abc import Sequence

import numpy as np
from pycocoevalcap.cider.cider import Cider

from training.metrics import own_split


def consensus(captions: Sequence[Sequence[str]], share: float) -> list[list[float]]:
    """Weights of every photo's captions, mean 1 for each photo (Phan et al. 2017, weighted cross-entropy).

    A weight is `1 - share` plus `share` times the caption's CIDEr against the photo's other captions, over the mean
    of the photo's. A photo with fewer than three captions has nobody to agree with: all of its weights are 1.
    """
    if not share:
        return [[1.0] * len(texts) for texts in captions]
    tokens = [own_split(texts) for texts in captions]
    asked = [(photo, i) for photo, texts in enumerate(tokens) if len(texts) >= 3 for i in range(len(texts))]
    weights = [np.ones(len(texts)) for texts in tokens]
    if asked:
        references = {key: tokens[key[0]][: key[1]] + tokens[key[0]][key[1] + 1 :] for key in asked}
        _, scores = Cider().compute_score(references, {key: [tokens[key[0]][key[1]]] for key in asked})
        for (photo, i), score in zip(references, scores, strict=True):
            weights[photo][i] = score
    return [(1 - share + share * (w / w.mean() if w.mean() > 0 else np.ones(len(w)))).tolist() for w in weights]
