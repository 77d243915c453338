"""Train a captioner: `python training/train.py --dataset DIR`.

The decoder learns on features of the frozen encoder, computed once; with `--fine-tune` both then learn end to end.
Beam width and length penalty are chosen on the dev split, and the artifact is written to `artifacts/`. The test split
is never looked at here; `training/evaluate.py` scores it.
"""

import datetime
import hashlib
import os
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from model.errors import CaptionerError
from model.quiet import quiet_import
from training.options import TrainingOptions, parse


def main(arguments: list[str] | None = None) -> int:
    """Run one training; returns the exit status. Keras is imported only once the options make sense."""
    options = parse(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        train(
            options,
            shlex.join(["python", "training/train.py", *(sys.argv[1:] if arguments is None else arguments)]),
        )
    except CaptionerError as exc:
        print(f"train.py: {exc}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\ntrain.py: stopped; features and the best weights so far lie in {options.work}", file=sys.stderr)
        return 130
    return 0


def train(options: TrainingOptions, command: str) -> None:
    """Dataset to artifact. Raises CaptionerError where the data, the encoder or an option stand in the way."""
    from training import splits
    from training.datasets import load_dataset, write_split

    started, dataset = time.monotonic(), load_dataset(options.dataset, seed=options.seed)
    print(dataset.summary(), flush=True)

    with quiet_import():
        import keras

    from model.bundle import Bundle, build_decoder, save_bundle
    from model.config import BundleConfig, DecoderConfig
    from model.encoder import build_encoder, rebuild
    from model.runtime import device
    from model.tokenizer import Tokenizer
    from training import stages
    from training.decoding import choose_decoding

    keras.utils.set_random_seed(options.seed)
    keras.config.set_dtype_policy(options.precision)
    print(f"computing on the {device()} with {keras.backend.backend()}, {options.precision}", flush=True)
    options.work.mkdir(parents=True, exist_ok=True)
    encoder = build_encoder(options.encoder, options.encoder_weights)
    starting_weights = _digest(encoder)
    frozen = rebuild(encoder, dtype=options.precision)
    parts = {name: stages.extract_split(frozen, dataset.splits[name], options.work) for name in ("train", "dev")}
    tokenizer = Tokenizer.fit(
        (caption for photo in parts["train"].photos for caption in photo.captions), options.min_count
    )
    print(f"vocabulary: {len(tokenizer.words):,} words seen at least {options.min_count} times", flush=True)
    sizes = DecoderConfig(
        vocabulary=len(tokenizer),
        channels=encoder.output_shape[-1],
        kind=options.decoder,
        units=options.units,
        lstm_layers=options.lstm_layers,
        heads=options.heads,
        merge_blocks=options.merge_blocks,
        dropout=options.dropout,
    )
    run = stages.Run(options, tokenizer, build_decoder(sizes), parts["train"], parts["dev"])
    scores = stages.run_all(run, encoder)

    keras.config.set_dtype_policy("float32")
    decoder = build_decoder(sizes)
    decoder.set_weights(run.decoder.get_weights())
    decoding, scores["dev beam"] = choose_decoding(encoder, decoder, tokenizer, run.dev.photos, options)
    record = {
        "command": command,
        "options": {name: str(value) if isinstance(value, Path) else value for name, value in asdict(options).items()},
        "dataset": dataset.summary(),
        "dev_cider_own_tokens": scores,
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "backend": keras.backend.backend(),
    }
    source = {"name": Path(options.encoder).name, "sha256": starting_weights}
    config = BundleConfig(
        name=options.name,
        version=record["finished"][:10],
        encoder={"name": encoder.name, "grid": list(encoder.output_shape[1:]), "source": source},
        decoder=sizes,
        decoding=decoding,
        training=record,
    )
    save_bundle(options.output, Bundle(config, tokenizer, encoder, decoder))
    if dataset.split_note:  # not an official split, so evaluation has to be told which photos were held back
        write_split(dataset, options.output / splits.FILE)
    print(f"wrote {options.output} after {record['minutes']} minutes; score it with training/evaluate.py")


def _digest(encoder: Any) -> str:
    """SHA-256 over the starting weights, so that the model card can tell what they were."""
    digest = hashlib.sha256()
    for weight in encoder.get_weights():
        digest.update(weight.tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
