"""Caption scores on plain strings: BLEU-1..4, METEOR, ROUGE-L, CIDEr, and ROUGE-1 and 2, as fractions.

One protocol: `pycocoevalcap` with its PTB tokenizer, every reference as published. The tokenizer and METEOR
run on Java. Where there is none, BLEU comes from nltk, ROUGE-L and CIDEr from pycocoevalcap on our own
tokens, METEOR is left out, and the result says so. ROUGE-1 and 2 are `rouge-score`'s, on the same tokens.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer import ptbtokenizer

from model.errors import DatasetError, ScoringError
from model.tokenizer import Tokenizer
from training.results import METRICS, ROUGE_N

PTB_PROTOCOL = "pycocoevalcap, PTB tokenizer"
OWN_PROTOCOL = "own tokens, no METEOR (Java was not found)"

# Tokenized captions, words separated by one space, by photo name; a prediction is a list of one.
Tokenized = dict[str, list[str]]
Split = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Scores:
    """Fractions by metric, those of `METRICS` first, then `ROUGE_N`; CIDEr by photo; the protocol of them all."""

    values: dict[str, float]
    ciders: dict[str, float]
    protocol: str


def score(references: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> Scores:
    """Score one caption a photo against all of its references, both as raw text, keyed by photo name.

    Raises DatasetError where the two do not name the same photos or a photo has no reference, ScoringError
    where Java fails half-way.
    """
    return _score_with_java(references, predictions) if java_works() else _score_own(references, predictions)


def quick_cider(references: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> float:
    """CIDEr on our own tokens, without Java: to compare epochs with each other, not with other systems."""
    return _mean(Cider(), *_tokenize(references, predictions, own_split))


def quick_photo_ciders(references: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> dict[str, float]:
    """What `quick_cider` is the mean of, by photo name."""
    return _by_photo(*_tokenize(references, predictions, own_split))


def photo_ciders(references: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> dict[str, float]:
    """CIDEr of each photo, by name, on the tokens of the protocol that `score` would use now."""
    return _by_photo(*_tokenize(references, predictions, ptb_split if java_works() else own_split))


def available_protocol() -> str:
    """The protocol that `score` would use now."""
    return PTB_PROTOCOL if java_works() else OWN_PROTOCOL


def java_works() -> bool:
    """Whether Java runs: some systems have a `java` that only tells where to get one."""
    try:
        return subprocess.run(["java", "-version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _score_with_java(references: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> Scores:
    tokenized = _tokenize(references, predictions, ptb_split)
    bleus, _ = Bleu(4).compute_score(*tokenized, verbose=0)
    ciders = _by_photo(*tokenized)
    values = [*bleus, _meteor(*tokenized), _mean(Rouge(), *tokenized), _average(ciders), *rouge_n(*tokenized)]
    return Scores(dict(zip((*METRICS, *ROUGE_N), map(float, values), strict=True)), ciders, PTB_PROTOCOL)


def _score_own(references: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> Scores:
    tokenized = _tokenize(references, predictions, own_split)
    names = [name for name in (*METRICS, *ROUGE_N) if name != "METEOR"]
    ciders = _by_photo(*tokenized)
    values = [*nltk_bleu(*tokenized), _mean(Rouge(), *tokenized), _average(ciders), *rouge_n(*tokenized)]
    return Scores(dict(zip(names, values, strict=True)), ciders, OWN_PROTOCOL)


def own_split(texts: Sequence[str]) -> list[str]:
    """Our own tokens: what the network learns."""
    return [" ".join(Tokenizer.split(text)) for text in texts]


def ptb_split(texts: Sequence[str]) -> list[str]:
    """Tokenize as pycocoevalcap does: lower case, Penn Treebank words, punctuation removed.

    Its Python wrapper writes into site-packages, prints, and overlooks a Java that failed; so its jar is
    called here, with the same arguments and list of punctuation. Line breaks inside a caption, some of which
    only Java takes for such, would shift every later caption by one: they become spaces first.
    """
    lines = [" ".join(text.split()) + "\n" for text in texts]
    jar = Path(ptbtokenizer.__file__).with_name(ptbtokenizer.STANFORD_CORENLP_3_4_1_JAR)
    program = ["edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase", "-encoding", "UTF-8"]
    command = ["java", "-cp", str(jar), *program]
    run = subprocess.run(command, input="".join(lines).encode(), capture_output=True, check=False)
    tokenized = run.stdout.decode().split("\n")[:-1]
    if run.returncode or len(tokenized) != len(lines):
        raise ScoringError(_java_failed("the PTB tokenizer", run.stderr))
    dropped = set(ptbtokenizer.PUNCTUATIONS)
    return [" ".join(word for word in line.rstrip().split(" ") if word not in dropped) for line in tokenized]


def _tokenize(
    references: Mapping[str, Sequence[str]], predictions: Mapping[str, str], split: Split
) -> tuple[Tokenized, Tokenized]:
    """References and predictions through one call of `split`; sorted, so that order changes nothing."""
    _require_same_photos(references, predictions)
    names = sorted(references)
    texts = [text for name in names for text in references[name]] + [predictions[name] for name in names]
    tokens = iter(split(texts))
    truth = {name: [next(tokens) for _ in references[name]] for name in names}
    return truth, {name: [next(tokens)] for name in names}


def _require_same_photos(references: Mapping[str, Sequence[str]], predictions: Mapping[str, str]) -> None:
    if not references:
        raise DatasetError("scoring needs at least one photo with its references; none came")
    if lonely := sorted(references.keys() ^ predictions.keys()):
        raise DatasetError(
            f"every photo needs both references and one prediction; {len(lonely)} have only one of them,"
            f" such as {lonely[0]!r}: caption and score the same photos"
        )
    if bare := sorted(name for name, texts in references.items() if not texts):
        raise DatasetError(f"every photo needs at least one reference; {bare[0]!r} has none: leave such photos out")


def nltk_bleu(references: Tokenized, predictions: Tokenized) -> list[float]:
    """BLEU-1 to BLEU-4 by nltk, equal to pycocoevalcap's on the same tokens.

    The libraries part in two places only, a corpus without any match of n words and captions shorter than n;
    the smoothing below takes both from pycocoevalcap: (matches + 1e-15) / (n-grams + 1e-9).
    """
    from nltk.translate.bleu_score import corpus_bleu

    truth = [[text.split() for text in references[name]] for name in references]
    captions = [predictions[name][0].split() for name in references]
    guessed = [sum(max(0, len(words) - n) for words in captions) for n in range(4)]

    def smooth(precisions: list[Fraction], **_: object) -> list[float]:
        return [(p.numerator + 1e-15) / (total + 1e-9) for p, total in zip(precisions, guessed, strict=True)]

    weights = [(1 / n,) * n for n in range(1, 5)]
    return [float(value) for value in corpus_bleu(truth, captions, weights, smooth)]


class _Spaces:
    """A tokenizer for what is tokenized already: rouge-score's own would drop every letter but a to z."""

    def tokenize(self, text: str) -> list[str]:
        return text.split()


def rouge_n(references: Tokenized, predictions: Tokenized) -> list[float]:
    """ROUGE-1 and ROUGE-2 (Lin 2004): the F1 of the words, and pairs of words, that a caption shares with a reference.

    The best of the references counts for a photo, for each of the two by itself; the score is the mean over photos.
    `evaluate`, the library behind the tables of captioners on Hugging Face, has the same rule and computes with
    rouge-score too, but on its own tokens and, where asked to, on stems.
    """
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rouge2"], tokenizer=_Spaces())
    found = [scorer.score_multi(references[name], predictions[name][0]) for name in references]
    return [sum(scores[kind].fmeasure for scores in found) / len(found) for kind in scorer.rouge_types]


def _mean(scorer: Cider | Rouge, references: Tokenized, predictions: Tokenized) -> float:
    return float(scorer.compute_score(references, predictions)[0])


def _by_photo(references: Tokenized, predictions: Tokenized) -> dict[str, float]:
    """The scorer goes through the references in their order."""
    return dict(zip(references, map(float, Cider().compute_score(references, predictions)[1]), strict=True))


def _average(ciders: Mapping[str, float]) -> float:
    return sum(ciders.values()) / len(ciders)


def _meteor(references: Tokenized, predictions: Tokenized) -> float:
    """METEOR 1.5. The Java process ends with this call: the library leaves it to the garbage collector."""
    meteor = Meteor()
    process = meteor.meteor_p
    try:
        return float(meteor.compute_score(references, predictions)[0])
    except (OSError, ValueError) as error:
        process.kill()
        raise ScoringError(_java_failed("METEOR", process.stderr.read())) from error
    finally:
        process.kill()
        process.communicate()
        if meteor.lock.locked():  # a failed call keeps it, and the destructor would wait for it for ever
            meteor.lock.release()


def _java_failed(program: str, stderr: bytes) -> str:
    said = stderr.decode(errors="replace").strip().splitlines() or ["nothing"]
    return (
        f"{program} must run to its end on Java; it said: {said[-1].strip()}:"
        " check that `java -version` names 8 or later and that 2 GB of memory are free"
    )
