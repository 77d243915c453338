"""Laws of the scores: what they reward, what they must not depend on, and what happens without Java."""

import os
import random
import shutil
from pathlib import Path

import pytest
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

from model.errors import DatasetError, ScoringError
from model.tokenizer import END, PAD, START, Tokenizer
from training.fluency import fluency
from training.metrics import (
    OWN_PROTOCOL,
    PTB_PROTOCOL,
    java_works,
    nltk_bleu,
    ptb_split,
    quick_cider,
    rouge_n,
    score,
)
from training.results import METRICS, ROUGE_N

needs_java = pytest.mark.skipif(not java_works(), reason="needs Java, which was not found or does not run")

REFERENCES = {
    "dog.jpg": ["A brown dog runs through the grass .", "The dog's ball lies in front of it ."],
    "surf.jpg": ["A surfer rides a big wave .", 'A man in a "wet-suit" surfs on the sea .'],
    "kids.jpg": ["Two kids, both in red, play on a slide !", "Children don't want to leave the playground ."],
}
ECHOES = {name: texts[0] for name, texts in REFERENCES.items()}
OTHERS = {
    "dog.jpg": "a dog runs on the beach",
    "surf.jpg": "a man rides a wave",
    "kids.jpg": "two kids play outside",
}


@pytest.fixture
def no_java(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH without any program on it."""
    monkeypatch.setenv("PATH", str(tmp_path))


def random_corpus(seed: int) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Tokenized captions over nine words, enough alike to share pairs and triples of words."""
    choose = random.Random(seed)
    words = ("a", "dog", "cat", "runs", "jumps", "on", "the", "red", "sofa")

    def sentence() -> str:
        return " ".join(choose.choices(words, k=choose.randint(1, 9)))

    names = [f"{index}.jpg" for index in range(choose.randint(1, 12))]
    references = {name: [sentence() for _ in range(choose.randint(1, 5))] for name in names}
    return references, {name: [sentence()] for name in names}


@pytest.mark.parametrize("seed", range(8))
def test_bleu_of_nltk_equals_the_scorers_on_the_same_tokens(seed: int) -> None:
    references, predictions = random_corpus(seed)
    expected, _ = Bleu(4).compute_score(references, predictions, verbose=0)
    assert nltk_bleu(references, predictions) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("caption", ["dog", "a dog", "cat sofa cat", "sofa", ""])
def test_bleu_of_nltk_equals_the_scorers_where_words_or_matches_are_few(caption: str) -> None:
    references, predictions = {"x.jpg": ["a dog runs on the beach"]}, {"x.jpg": [caption]}
    expected, _ = Bleu(4).compute_score(references, predictions, verbose=0)
    assert nltk_bleu(references, predictions) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a brown dog runs", (1, 1)),
        ("runs dog brown a", (1, 0)),  # the order matters to pairs alone
        ("the cat sleeps", (0, 0)),
        ("a brown dog", (6 / 7, 4 / 5)),  # 3 words of 3 and of 4, 2 pairs of 2 and of 3
        ("a a a a", (1 / 4, 0)),  # a word counts as often as the reference has it
        ("", (0, 0)),
    ],
)
def test_rouge_is_the_f1_of_shared_words_and_pairs(caption: str, expected: tuple[float, float]) -> None:
    assert rouge_n({"x.jpg": ["a brown dog runs"]}, {"x.jpg": [caption]}) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_one_more_reference_never_lowers_rouge(seed: int) -> None:
    references, predictions = random_corpus(seed)
    more, _ = random_corpus(seed + 100)
    others = [text for texts in more.values() for text in texts]
    longer = {name: [*texts, others[index % len(others)]] for index, (name, texts) in enumerate(references.items())}
    pairs = zip(rouge_n(references, predictions), rouge_n(longer, predictions), strict=True)
    assert all(before <= after for before, after in pairs)


def test_rouge_is_a_mean_over_photos_and_knows_letters_beyond_ascii() -> None:
    references = {"a.jpg": ["un café", "x"], "b.jpg": ["ein Hund"]}
    assert rouge_n(references, {"a.jpg": ["un café"], "b.jpg": ["une caf"]}) == pytest.approx([0.5, 0.5])


@needs_java
def test_scoring_is_complete_silent_and_leaves_no_process_behind(capfd: pytest.CaptureFixture[str]) -> None:
    before = child_processes()
    scores = score(REFERENCES, ECHOES)
    assert child_processes() == before
    assert capfd.readouterr() == ("", "")
    assert scores.protocol == PTB_PROTOCOL
    assert tuple(scores.values) == (*METRICS, *ROUGE_N)
    assert [scores.values[f"BLEU-{n}"] for n in range(1, 5)] == pytest.approx([1, 1, 1, 1])
    assert scores.values["METEOR"] == pytest.approx(1)
    assert [scores.values[f"ROUGE-{kind}"] for kind in "L12"] == pytest.approx([1, 1, 1])


def child_processes() -> str:
    """Ids of our child processes, where the system tells."""
    listing = Path(f"/proc/self/task/{os.getpid()}/children")
    return listing.read_text() if listing.exists() else ""


@needs_java
def test_tokens_equal_those_of_the_librarys_own_wrapper() -> None:
    texts = [text for captions in REFERENCES.values() for text in captions]
    texts += ["", "a (blue) t-shirt's \"logo\" -- 3 1/2 , can't ...", "cannot e.g. café", " two  spaces ", ""]
    expected = PTBTokenizer().tokenize({index: [{"caption": text}] for index, text in enumerate(texts)})
    assert ptb_split(texts) == [expected[index][0] for index in range(len(texts))]


@needs_java
@pytest.mark.parametrize("separator", ["\n", "\r", "\u2028", "\u0085", "\x0b", "\x0c"])
def test_a_line_break_inside_a_caption_shifts_no_other(separator: str) -> None:
    assert ptb_split([f"a dog{separator}runs", "a cat"]) == ["a dog runs", "a cat"]


@needs_java
def test_own_tokens_agree_with_those_of_the_scorers() -> None:
    texts = [text for captions in REFERENCES.values() for text in captions]
    assert ptb_split(texts) == [" ".join(Tokenizer.split(text)) for text in texts]


@pytest.mark.usefixtures("no_java")
def test_without_java_scores_are_labelled_and_meteor_is_left_out() -> None:
    scores = score(REFERENCES, OTHERS)
    assert scores.protocol == OWN_PROTOCOL
    assert tuple(scores.values) == tuple(name for name in (*METRICS, *ROUGE_N) if name != "METEOR")


def test_a_java_that_does_not_run_counts_as_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path, monkeypatch, "echo 'get Java at …' >&2; exit 1")
    assert score(REFERENCES, OTHERS).protocol == OWN_PROTOCOL


def test_a_java_that_fails_half_way_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_program(tmp_path, monkeypatch, '[ "$1" = -version ] && exit 0; echo out of memory >&2; exit 1')
    with pytest.raises(ScoringError, match=r"PTB tokenizer.*out of memory.*java -version"):
        score(REFERENCES, OTHERS)


@needs_java
def test_a_meteor_that_fails_is_an_error_and_hangs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fail = '[ "$1" = -jar ] && { echo no memory >&2; exit 1; }'
    put_program(tmp_path, monkeypatch, f'{fail}; exec {shutil.which("java")} "$@"')
    with pytest.raises(ScoringError, match="METEOR"):
        score(REFERENCES, OTHERS)


def put_program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A `java` that runs `script`, before any other on the PATH."""
    program = folder / "java"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("no_java")
def test_a_caption_equal_to_a_reference_scores_bleu_one() -> None:
    values = score(REFERENCES, ECHOES).values
    assert [values[f"BLEU-{n}"] for n in range(1, 5)] == pytest.approx([1, 1, 1, 1])


@pytest.mark.usefixtures("no_java")
def test_the_order_of_photos_changes_nothing() -> None:
    backwards = {name: OTHERS[name] for name in reversed(OTHERS)}
    shuffled = {name: REFERENCES[name] for name in ["kids.jpg", "dog.jpg", "surf.jpg"]}
    assert score(shuffled, backwards) == score(REFERENCES, OTHERS)


@pytest.mark.usefixtures("no_java")
def test_marker_words_never_reach_the_scorers() -> None:
    tokenizer = Tokenizer.fit(ECHOES.values(), min_count=1)
    ids = {name: [START, *tokenizer.encode(text), END, PAD, PAD] for name, text in ECHOES.items()}
    decoded = {name: tokenizer.decode(row) for name, row in ids.items()}
    assert score(REFERENCES, decoded) == score(REFERENCES, ECHOES)


@pytest.mark.usefixtures("no_java")
def test_quick_cider_is_the_cider_on_own_tokens() -> None:
    assert quick_cider(REFERENCES, OTHERS) == score(REFERENCES, OTHERS).values["CIDEr"]


def test_cider_prefers_what_is_particular_to_the_photo() -> None:
    bland = dict.fromkeys(REFERENCES, "a man is on the grass")
    assert quick_cider(REFERENCES, ECHOES) > quick_cider(REFERENCES, OTHERS) > quick_cider(REFERENCES, bland)


@pytest.mark.parametrize(
    ("references", "predictions", "message"),
    [
        ({}, {}, "at least one photo"),
        ({"a.jpg": ["a dog"]}, {}, r"1 have only one of them, such as 'a\.jpg'"),
        ({"a.jpg": ["a dog"]}, {"a.jpg": "a dog", "b.jpg": "a cat"}, r"'b\.jpg'"),
        ({"a.jpg": []}, {"a.jpg": "a dog"}, "at least one reference"),
    ],
)
def test_photos_without_counterpart_are_refused(
    references: dict[str, list[str]], predictions: dict[str, str], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        quick_cider(references, predictions)


def test_fluency_counts_what_its_names_say() -> None:
    captions = ["A dog runs in a", "the the cat sleeps", "a man and a man walk home", "two kids play"]
    assert fluency(captions, ["Two kids play .", "A dog runs ."]) == {
        "distinct_words": 14,
        "mean_words": 4.75,
        "open_endings": 0.25,
        "immediate_repeats": 0.25,
        "repeated_pairs": 0.25,
        "not_in_training": 0.75,
    }


def test_fluency_of_empty_captions_is_no_error() -> None:
    assert fluency([""], [])["mean_words"] == 0
    assert fluency([], [])["distinct_words"] == 0
