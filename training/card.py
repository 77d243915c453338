"""The model card `artifacts/README.md`, and the table of scores in the project's README.

    python training/card.py --artifacts artifacts --readme README.md

Everything that can change comes from the artifact: what the model is and how it was made from `config.json`
(its `encoder.source` and `training` sections, any part of which may be missing), its scores from
`metrics.json`. No figure is typed by hand.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from model.errors import ArtifactError, CaptionerError
from training.results import (
    METRICS_FILE,
    read_config,
    read_metrics,
    replace_between_markers,
    replace_file,
    runs_of,
    total_minutes,
)
from training.tables import PUBLISHED, describe, fluency_table, markdown_table, reliability_table

CONFIDENCE = """\
`confidence` is the share of captions written by people that this caption probably surpasses, when both are judged by
how well they agree with what others wrote of the photo: 0.5 is as good as a typical person's. It speaks of photos like
those of the training, and a low one is a reason to look twice."""


@dataclass(frozen=True)
class Source:
    """Where an encoder's first weights come from, and what that means for the licence of ours."""

    origin: str
    licence: str = "the encoder's terms and those of the data above bind whoever uses them"


_BIT_GOES_DOWN = Source(
    """\
The ResNet-50 that Stock, Joulin, Gribonval, Graham and Jégou published with *And the Bit Goes Down:
Revisiting the Quantization of Neural Networks* (ICLR 2020; facebookresearch/kill-the-bits on GitHub) under
[CC BY-NC 4.0](https://creativecommons.org/licenses/by-nc/4.0/): trained on ImageNet, product-quantized
("large blocks", 256 centroids; top-1 accuracy 68.2 % as published), decoded into a plain Keras network.""",
    "CC BY-NC 4.0, as an adaptation of the encoder above: name it, say what you changed, no commercial use",
)
_RESNET50 = Source(
    """\
The ResNet-50 of `keras.applications`, trained on ImageNet: the weights that He, Zhang, Ren and Sun published
with *Deep Residual Learning for Image Recognition* (CVPR 2016) under the MIT licence.""",
    "the encoder allows any use (MIT); the terms of the data above bind whoever uses them",
)
_VGG16 = Source(
    """\
The VGG16 of `keras.applications`, trained on ImageNet: the weights that Simonyan and Zisserman published with
*Very Deep Convolutional Networks for Large-Scale Image Recognition* (ICLR 2015) under
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/).""",
    "CC BY 4.0 on the encoder's side: name it, say what you changed; the terms of the data above bind too",
)
_INCEPTIONV3 = Source(
    """\
The InceptionV3 of `keras.applications`, trained on ImageNet and published by Keras under the Apache License 2.0;
the network is that of *Rethinking the Inception Architecture for Computer Vision* (Szegedy, Vanhoucke, Ioffe, Shlens
and Wojna, CVPR 2016).""",
    "the encoder allows any use (Apache 2.0: keep its notice); the terms of the data above bind whoever uses them",
)
# Of the numbers in `get_weights()` order, as training/train.py records it: it survives another file format.
_BY_SHA256 = {"48ec6ec3a87df750f1289b1c823f65399b3cca4aa4ad7d0abecefa8d8975c221": _BIT_GOES_DOWN}
_OFFICIAL = "_weights_tf_dim_ordering_tf_kernels_notop.h5"  # how Keras's own files end
_BY_NAME = {"resnet50": _RESNET50, "vgg16": _VGG16, "inceptionv3": _INCEPTIONV3}

_FLICKR8K = """\
Flickr8k (Hodosh, Young and Hockenmaier, *Framing Image Description as a Ranking Task: Data, Models and
Evaluation Metrics*, JAIR 2013): everyday photos from Flickr, five English captions each, written by crowd
workers. It is given out for non-commercial research and educational purposes; the photos remain their
authors'. This folder holds none of the photos and none of these captions, only what was learnt from them."""
_OTHER_DATA = """\
The terms of that dataset bind these weights too. (Flickr8k's allow non-commercial research and education.)"""

_USE = """\
## Intended use

Drafts of alternative text, search in one's own photos, teaching and research in image captioning: wherever a
person looks at the caption, or where a wrong one does no harm. It is no witness: do not use it to identify,
judge or watch people, or to decide anything about safety, health, law or money. See the licences below.

## Limits

- **It makes things up.** A caption is a likely sentence, not a finding: what often goes together in the
  training captions gets named in photos where it is not.
- **Counts and colours** are often wrong, the more so the more things there are.
- **People**: captions written by people guess at sex, age and relation from looks, and so does this model. It
  knows the places, clothes, bodies and customs of the photos it learnt from; others fare worse.
- **What it has not seen** it describes as if it were what it has. Trained on Flickr8k, that is everyday
  scenes with people and dogs, mostly outdoors: food, documents, drawings or screenshots get a confident
  sentence about something else.
- **No writing, no names**: it reads no text and knows no persons, places or brands.
- **English only**, one sentence, from a closed vocabulary.
"""


def write_card(artifacts: Path) -> None:
    """Write `README.md` into the artifact. Raises ArtifactError if its config or metrics cannot be read."""
    replace_file(artifacts / "README.md", card(read_config(artifacts), read_metrics(artifacts)))


def card(config: Mapping[str, Any], metrics: Mapping[str, Any]) -> str:
    """The text of the model card."""
    training = config.get("training") or {}
    source = _source(config.get("encoder") or {})
    scores = f"## Scores\n\n{scores_section(metrics)}\n"
    parts = [
        _head(config),
        scores,
        *_confidence(metrics),
        _making(training, source),
        _USE,
        _licences(source),
        _rebuild(training),
    ]
    return "\n".join(parts)


def _head(config: Mapping[str, Any]) -> str:
    encoder, decoder, decoding = (config.get(part) or {} for part in ("encoder", "decoder", "decoding"))
    cell = str(decoder.get("cell", "lstm")).upper()
    grid = "×".join(str(size) for size in encoder.get("grid") or ["?"])
    return f"""\
# {config.get("name", "captioner")} {config.get("version", "")}

Captions photos with one English sentence. A convolutional network ({encoder.get("name", "unknown")}) turns a
photo into a {grid} grid of features; a merge-style {cell} decoder ({decoder.get("kind", "unknown")},
{decoder.get("units", "?")} units, {decoder.get("vocabulary", "?")} ids) writes the caption word by word, by a
beam search of width {decoding.get("beam_width", "?")}, length penalty {decoding.get("length_penalty", "?")}.
`training/card.py` writes this card from `config.json` and `metrics.json`.
"""


def scores_section(metrics: Mapping[str, Any]) -> str:
    """Tables in Markdown: scores of every split beside published ones, and how the captions read."""
    if not metrics:
        return "Not evaluated yet: run `training/evaluate.py`."
    own = {f"**this model**, {split}": entry for split, entry in metrics.items()}
    notes = "\n".join(f"- {describe(split, entry)}" for split, entry in metrics.items())
    about = "Fractions ×100. The rows below ours are published figures for Flickr8k's official test split."
    parts = [about, markdown_table({**own, **PUBLISHED}, "model"), notes, fluency_table(metrics)]
    return "\n\n".join(part for part in parts if part)


def _confidence(metrics: Mapping[str, Any]) -> list[str]:
    """What the number beside a caption means, and whether it keeps its word."""
    entries = {split: entry["confidence"] for split, entry in metrics.items() if entry.get("confidence")}
    if not entries:
        return []
    return [
        f"""\
## Confidence

{CONFIDENCE}

A person's caption is compared with the others of its photo, ours with all of them. The model behind it is small and
can be read in `config.json`: a logistic one over six signals of the search, fitted on dev
(`model/confidence.py` names them). Photos by their confidence, a tenth of them a line; expected is the mean
confidence, achieved is the share of people's captions that the captions surpassed:

{reliability_table(entries)}
"""
    ]


def _making(training: Mapping[str, Any], source: Source) -> str:
    datasets = list(dict.fromkeys(str(run.get("dataset") or "not recorded") for run in runs_of(training)))
    about = dict.fromkeys(_FLICKR8K if "flickr8k" in dataset.lower() else _OTHER_DATA for dataset in datasets)
    trained_on, notes = ". Then on: ".join(datasets), "\n\n".join(about)
    return f"""\
## Data

Trained on: {trained_on}.

{notes}

## Starting weights

{source.origin}

What was changed: {_changes(training)}
{_first_words(training)}
"""


def _changes(training: Mapping[str, Any]) -> str:
    options = [run.get("options") or {} for run in runs_of(training)]
    tuned, reinforced = (any(run.get(stage) for run in options) for stage in ("fine_tune", "reinforce"))
    if not (tuned or reinforced):
        return "nothing; the encoder's weights were kept as they came."
    rewarded = (
        " At the end both were rewarded\nfor captions that agree with people's (self-critical training on CIDEr-D)."
    )
    return (
        "this encoder is an adaptation. It was fine-tuned end to end with the decoder on the data above\n"
        f"(BatchNormalization kept its statistics).{rewarded if reinforced else ''}"
    )


def _first_words(training: Mapping[str, Any]) -> str:
    if captions := (runs_of(training)[0].get("options") or {}).get("pretrain_text"):
        return (
            "The decoder was trained from random numbers, its LSTM first\n"
            f"on the captions of `{Path(captions).name}` alone, without their photos."
        )
    return "The decoder was trained from random numbers."


def _source(encoder: Mapping[str, Any]) -> Source:
    """What is known of weights by their SHA-256; else what the run stated; else what the name of the file, or of the
    encoder where Keras downloaded it, tells.
    """
    recorded = encoder.get("source") or {}
    if known := _BY_SHA256.get(recorded.get("sha256") or ""):
        return known
    if recorded.get("statement"):
        return Source(recorded["statement"])
    name = recorded.get("file") or encoder.get("name", "not recorded")
    return _BY_NAME.get(name.removesuffix(_OFFICIAL).replace("_", "")) or Source(
        f"{name} (weights' SHA-256 {recorded.get('sha256') or 'unknown'})."
    )


def _licences(source: Source) -> str:
    return f"""\
## Licences

- Code: MIT.
- Weights in this folder: {source.licence}.
- Data: see above.
"""


def _rebuild(training: Mapping[str, Any]) -> str:
    runs = runs_of(training)
    each = (
        "This is the command that made it" if len(runs) == 1 else "These runs made it, each from what the last one left"
    )
    commands = "\n".join(f"{run.get('command', '# not recorded')}" for run in runs)
    return f"""\
## Rebuild

{each}{_when(training)}:

```sh
{commands}
```

## Verify

In this folder `sha256sum -c SHA256SUMS` checks every file that captioning needs. In the project's root

```sh
python training/evaluate.py --artifacts artifacts --dataset DIR --split test --check
```

captions the test photos anew and compares the scores with those above; with `--report report.html` it also writes a
page to look at: photos with their captions, and where the network looked for each word. Test is scored once for each
release, and each release is a line in the project's CHANGELOG.
"""


def _when(training: Mapping[str, Any]) -> str:
    minutes = total_minutes(training)
    facts = [
        f"finished {training['finished']}" if training.get("finished") else "",
        f"after {minutes / 60:.1f} hours" if minutes else "",
    ]
    known = ", ".join(fact for fact in facts if fact)
    return f" ({known})" if known else ""


def fill_readme(readme: Path, artifacts: Path) -> None:
    """Replace what stands between the two markers of a README by the artifact's tables of scores.

    Raises SettingsError if the README lacks the markers, ArtifactError if the artifact has no metrics.
    """
    metrics = read_metrics(artifacts)
    if not metrics:
        raise ArtifactError(f"{artifacts / METRICS_FILE} must hold scores; there are none: run training/evaluate.py")
    replace_between_markers(readme, "scores", scores_section(metrics))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. 2: it could not run, one line says why."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"), help="default: artifacts")
    parser.add_argument("--readme", type=Path, help="also put the scores between the markers of this README")
    options = parser.parse_args(arguments)
    try:
        write_card(options.artifacts)
        if options.readme:
            fill_readme(options.readme, options.artifacts)
    except CaptionerError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
