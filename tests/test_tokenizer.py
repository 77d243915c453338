"""Laws of the tokenizer."""

import pytest

from model.tokenizer import END, RESERVED, START, UNKNOWN, Tokenizer

CAPTIONS = ["A dog runs .", "The dog 's ball !", "Two dogs run , don't they ?"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A dog's ball", "a dog 's ball"),
        ("A dog 's ball .", "a dog 's ball"),
        ("The T-shirt , blue", "the t-shirt blue"),
        ("They don't run", "they do n't run"),
        ("I cannot see", "i can not see"),
        ("1,000 people at 10:30", "1,000 people at 10:30"),
        ('a sign that says " hello "', "a sign that says hello"),
        ("the boys' game", "the boys game"),
        ("brown-and-white dogs", "brown-and-white dogs"),
        ("it\N{RIGHT SINGLE QUOTATION MARK}s", "it 's"),
        ("...", ""),
    ],
)
def test_words_are_cut_as_the_scorers_cut_them(text: str, words: str) -> None:
    assert Tokenizer.split(text) == words.split()


@pytest.mark.parametrize("text", CAPTIONS)
def test_joined_words_are_cut_into_the_same_words(text: str) -> None:
    words = Tokenizer.split(text)
    assert Tokenizer.split(Tokenizer.join(words)) == words


def test_a_clitic_is_written_without_a_space() -> None:
    assert Tokenizer.join(["a", "dog", "'s", "ball"]) == "a dog's ball"


def test_encoding_and_decoding_return_the_words() -> None:
    tokenizer = Tokenizer.fit(CAPTIONS, min_count=1)
    for caption in CAPTIONS:
        ids = tokenizer.encode(caption)
        assert (ids[0], ids[-1]) == (START, END)
        assert tokenizer.decode(ids) == Tokenizer.join(Tokenizer.split(caption))


@pytest.mark.parametrize("text", ["<pad>", "<start> startseq", "[UNK]", "<end> endseq </s>", "\0\1\2\3"])
def test_no_text_produces_a_reserved_id(text: str) -> None:
    tokenizer = Tokenizer.fit([text] * 9, min_count=1)
    assert all(index >= RESERVED for index in tokenizer.encode(text)[1:-1])


def test_rare_words_are_unknown() -> None:
    tokenizer = Tokenizer.fit(CAPTIONS, min_count=2)
    assert tokenizer.words == ("dog",)
    assert tokenizer.encode("dog ball") == [START, RESERVED, UNKNOWN, END]


def test_the_order_of_captions_changes_nothing() -> None:
    assert Tokenizer.fit(CAPTIONS, 1) == Tokenizer.fit(CAPTIONS[::-1], 1)


def test_json_keeps_the_vocabulary() -> None:
    tokenizer = Tokenizer.fit([*CAPTIONS, "café"], 1)
    assert Tokenizer.from_json(tokenizer.to_json()) == tokenizer


@pytest.mark.parametrize("text", ["[]", "{}", '{"words": [1]}', '{"words": ["a", "a"]}', '{"words": [""]}', "{"])
def test_other_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Tokenizer.from_json(text)
