"""How much each caption should count: the more, the better it agrees with the other captions of its photo."""

from collections.abc import Sequence

from model.tokenizer import Tokenizer
from training.cider_d import CiderD


def consensus(captions: Sequence[Sequence[str]], share: float) -> list[list[float]]:
    """Weights of every photo's captions, mean 1 for each photo (Phan et al. 2017, weighted cross-entropy).

    A weight is `1 - share` plus `share` times the caption's CIDEr against the photo's other captions, over the mean
    of the photo's. A photo with fewer than three captions has nobody to agree with: all of its weights are 1.
    """
    if not share:
        return [[1.0] * len(texts) for texts in captions]
    cider = CiderD([[Tokenizer.split(text) for text in texts] for texts in captions])
    agreements = (cider.agreement(photo) if len(texts) >= 3 else [] for photo, texts in enumerate(captions))
    return [
        [1 - share + share * each * len(texts) / sum(said) for each in said] if sum(said) > 0 else [1.0] * len(texts)
        for texts, said in zip(captions, agreements, strict=True)
    ]
