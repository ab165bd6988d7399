"""Who is to blame where a recogniser keeps dying: its model, if it died while that was loaded or decoded."""

from __future__ import annotations

from sottovoce.models import ModelError, Store
from sottovoce.models.quarantine import Quarantine
from sottovoce.protocol.config import SttConfig

_MODELS_DOING = frozenset({"loading", "busy"})


def accuse(stage: str, settings: SttConfig, doing: str, what: str) -> str:
    """Put the model of a stage that has used up its restarts into quarantine, and return what the person is to be told.

    Not a model that the final depends on: what is typed must not hang on what somebody did to the draft's process, and
    where there is no other model a doubtful one is better than none. Nor where the stage died while it waited.

    Args:
        stage: `stt-final` or `stt-draft`; for others nothing is done.
        settings: `[stt]`, with the choices that a person has made.
        doing: what the stage said that it did when it died last.
        what: what the stage did, as a clause without a subject.

    Returns:
        What is to be told, in brackets behind that clause; "" if nothing was done.
    """
    model = {"stt-final": settings.final.model, "stt-draft": settings.draft.model}.get(stage)
    needed = {settings.final.fallback} if stage == "stt-final" else {settings.final.model, settings.final.fallback}
    if model is None or model in needed or doing not in _MODELS_DOING:
        return ""
    try:
        store = Store()
        Quarantine(store.root).put(
            store.catalogue[model], store.path(model), f"{stage} {what} with it ({doing})", "service"
        )
    except (ModelError, OSError):
        return ""  # not here any more, or a full disk: it is told of in its place, and this was only to spare a trial
    return f" ({model} is in quarantine; `sottovoce models probe {model}` tries it by itself)"
