"""Every error this project raises on purpose.

CaptionerError
├── ImageError            a picture that cannot be captioned; `code` is stable and goes to clients
│   ├── EmptyFile         zero bytes
│   ├── NotAnImage        no format that we read
│   ├── DamagedImage      a known signature that cannot be decoded
│   ├── TooManyPixels     more pixels than we are willing to decode
│   └── UnreadableFile    a path that cannot be read
├── ArtifactError         `artifacts/` is missing, altered, or its parts disagree
├── DatasetError          photos or captions that training cannot use
├── EncoderError          a feature extractor that cannot be had or breaks the contract
├── RunError              what a training keeps in `--work` cannot be written, read or gone on with
├── NoAttention           attention asked of an artifact that has none
├── ScoringError          a scorer that could not run to its end
└── SettingsError         a setting or option with an impossible value

Each message is one line: the rule, what came, what to do about it.
Errors of other libraries are translated where they enter, with `raise … from`.
"""


class CaptionerError(Exception):
    """Base of every deliberate error."""


class ImageError(CaptionerError):
    """A picture that cannot be captioned."""

    code = "bad_image"


class EmptyFile(ImageError):
    """The upload or file holds zero bytes."""

    code = "empty_file"


class NotAnImage(ImageError):
    """The content is in no format that we read."""

    code = "not_an_image"


class DamagedImage(ImageError):
    """The signature is known, the data behind it cannot be decoded."""

    code = "damaged_image"


class TooManyPixels(ImageError):
    """The header announces more pixels than we decode."""

    code = "too_many_pixels"


class UnreadableFile(ImageError):
    """The path does not exist or cannot be read."""

    code = "unreadable_file"


class ArtifactError(CaptionerError):
    """The artifact is missing, altered, executable, or its parts disagree."""


class DatasetError(CaptionerError):
    """Photos or captions that training cannot use."""


class EncoderError(CaptionerError):
    """A feature extractor that cannot be had or that breaks the contract."""


class RunError(CaptionerError):
    """What a training keeps in its folder cannot be written, read or gone on with."""


class NoAttention(CaptionerError):
    """Attention asked of an artifact whose decoder has none."""


class ScoringError(CaptionerError):
    """A scorer that could not run to its end."""


class SettingsError(CaptionerError):
    """A setting or an option with an impossible value."""
