"""Languages by their English names, as Qwen3-ASR and OpenAI's API say them, and by their codes, as we do."""

from __future__ import annotations

# ISO 639-1; Cantonese and Filipino have none, and go by ISO 639-3.
CODES = {
    "afrikaans": "af",
    "arabic": "ar",
    "armenian": "hy",
    "azerbaijani": "az",
    "belarusian": "be",
    "bosnian": "bs",
    "bulgarian": "bg",
    "cantonese": "yue",
    "catalan": "ca",
    "chinese": "zh",
    "croatian": "hr",
    "czech": "cs",
    "danish": "da",
    "dutch": "nl",
    "english": "en",
    "estonian": "et",
    "filipino": "fil",
    "finnish": "fi",
    "french": "fr",
    "galician": "gl",
    "german": "de",
    "greek": "el",
    "hebrew": "he",
    "hindi": "hi",
    "hungarian": "hu",
    "icelandic": "is",
    "indonesian": "id",
    "italian": "it",
    "japanese": "ja",
    "kannada": "kn",
    "kazakh": "kk",
    "korean": "ko",
    "latvian": "lv",
    "lithuanian": "lt",
    "macedonian": "mk",
    "malay": "ms",
    "maori": "mi",
    "marathi": "mr",
    "nepali": "ne",
    "norwegian": "no",
    "persian": "fa",
    "polish": "pl",
    "portuguese": "pt",
    "romanian": "ro",
    "russian": "ru",
    "serbian": "sr",
    "slovak": "sk",
    "slovenian": "sl",
    "spanish": "es",
    "swahili": "sw",
    "swedish": "sv",
    "tagalog": "tl",
    "tamil": "ta",
    "thai": "th",
    "turkish": "tr",
    "ukrainian": "uk",
    "urdu": "ur",
    "vietnamese": "vi",
    "welsh": "cy",
}
_NAMES = {code: name for name, code in CODES.items()}


def code(said: str) -> str:
    """Return the code of a language that a library or a server named, by name, code or locale; "" if unknown."""
    said = said.strip().lower()
    if said in CODES:
        return CODES[said]
    first = said.replace("_", "-").split("-")[0]
    return first if first in _NAMES or (len(first) == 2 and first.isascii() and first.isalpha()) else ""


def name(code: str) -> str:
    """Return the English name of a language, lower case; "" if unknown."""
    return _NAMES.get(code, "")
