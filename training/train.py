"""Train a captioner: `python training/train.py --dataset DIR`.

The decoder learns on features of the frozen encoder, computed once; with `--fine-tune` both then learn end to end.
Beam width and length penalty are chosen on the dev split, and the artifact is written to `artifacts/`. The test split
is never looked at here; `training/evaluate.py` scores it.
"""

import datetime
import json
import os
import shlex
import sys
import time
import traceback
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from model.errors import CaptionerError, ImageError
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
    except ImageError as exc:
        print(
            f"train.py: {exc} It was there when the training began: put it back, and --resume goes on", file=sys.stderr
        )
        return 2
    except CaptionerError as exc:
        print(f"train.py: {exc}", file=sys.stderr)
        return 2
    except OSError as exc:
        print(f"train.py: {exc}: mend that, then go on with --resume", file=sys.stderr)
        return 2
    except BaseException as exc:
        # TensorFlow wraps a Ctrl-C that comes while it traces a function.
        if "KeyboardInterrupt" not in "".join(traceback.format_exception(exc)):
            raise
        print(f"\ntrain.py: stopped; --resume goes on with what lies in {options.work}", file=sys.stderr)
        return 130
    return 0


def train(options: TrainingOptions, command: str) -> None:
    """Dataset to artifact. Raises CaptionerError where the data, the encoder or an option stand in the way."""
    from training.checkpoints import look
    from training.datasets import load_dataset, write_drawn_split
    from training.results import replace_file, to_json

    started, dataset = time.monotonic(), load_dataset(options.dataset, seed=options.seed)
    print(dataset.summary(), flush=True)
    options = options.for_photos(len(dataset.splits["train"]))
    started -= look(options)
    replace_file(options.work / "config.json", to_json(options.to_dict()))

    with quiet_import():
        import keras

    from model.bundle import Bundle, build_decoder, make_aside, save_bundle
    from model.config import BundleConfig
    from model.encoder import rebuild
    from model.runtime import device
    from training import stages
    from training.calibration import input_ranges
    from training.confidence import MIN_PHOTOS, learn_confidence
    from training.decoding import choose_decoding
    from training.parallel import devices, split_among
    from training.starting import start

    keras.utils.set_random_seed(options.seed)
    keras.config.set_dtype_policy(options.precision)
    told = f", batches split among {count} devices" if (count := devices(options.data_parallel)) > 1 else ""
    print(f"computing on the {device()} with {keras.backend.backend()}, {options.precision}{told}", flush=True)
    make_aside(options.output.resolve()).rmdir()  # before hours are spent on what could not be written
    beginning = start(options)
    encoder = beginning.encoder
    frozen = rebuild(encoder, dtype=options.precision)
    dev = stages.extract_split(frozen, dataset.splits["dev"], options.work, options.engine)
    train = (
        stages.extract_split(frozen, dataset.splits["train"], options.work, options.engine)
        if options.epochs
        else stages.check_split(dataset.splits["train"])
    )
    captions = (caption for photo in train.photos for caption in photo.captions)
    with split_among(count):  # from the making of the networks on
        tokenizer, trained = beginning.networks(captions, options)
        print(beginning.describe(tokenizer), flush=True)
        run = stages.Run(options, tokenizer, trained, train, dev, json.dumps(beginning.source), started)
        scores = stages.run_all(run, encoder)

    keras.config.set_dtype_policy("float32")
    sizes = trained.config
    decoder = build_decoder(sizes)
    decoder.set_weights(run.decoder.get_weights())
    chosen = choose_decoding(encoder, decoder, tokenizer, run.dev.photos, options, beginning.decoding)
    scores["dev beam"] = chosen.cider
    confidence = learn_confidence(chosen.found, run.dev.photos, tokenizer)
    if confidence is None:
        print(f"no confidence beside the captions: fitting one takes {MIN_PHOTOS} dev photos with two captions or more")
    record = {
        "command": command,
        "options": options.to_dict(),
        "dataset": dataset.summary(),
        "init": beginning.record,
        "dev_cider_own_tokens": scores,
        "history": stages.history(options),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "backend": keras.backend.backend(),
    }
    config = BundleConfig(
        name=options.name,
        version=record["finished"][:10],
        encoder={
            "name": encoder.name,
            "grid": list(encoder.output_shape[1:]),
            "source": beginning.source,
            "ranges": input_ranges(encoder, run.train.paths),
        },
        decoder=sizes,
        decoding=chosen.decoding,
        training=record,
        confidence=confidence.to_dict() if confidence else None,
    )
    save_bundle(options.output, Bundle(config, tokenizer, encoder, decoder), partial(write_drawn_split, dataset))
    print(f"wrote {options.output} after {record['minutes']} minutes; score it with training/evaluate.py")


if __name__ == "__main__":
    sys.exit(main())
