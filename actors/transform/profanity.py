"""Words that some people do not want to see written: `[transform] profanity = "mask"` writes "f***" for them.

Nothing is masked unless it was asked for, and never in verbatim. The lists hold what can hardly mean anything else:
"dick" is a name, "cock" a bird, "hell" a place, "troia" a city. Whoever wants one more word masked has a correction:
`sottovoce learn damn 'd***'`.
"""

from __future__ import annotations

from typing import Final


def _listed(words: str) -> frozenset[str]:
    return frozenset(words.split())


PROFANE: Final[dict[str, frozenset[str]]] = {
    "en": _listed(
        "fuck fucks fucked fucker fuckers fuckin fucking motherfucker motherfuckers motherfucking shit shits shitty "
        "shitting bullshit horseshit asshole assholes arsehole arseholes bitch bitches cunt cunts cocksucker "
        "cocksuckers twat twats wanker wankers nigger niggers faggot faggots"
    ),
    "de": _listed(
        "scheiße scheisse scheiß scheiss scheißen scheissen beschissen beschissene beschissener beschissenes "
        "verschissen ficken fick fickt gefickt verfickt verfickte verfickten verfickter verficktes arschloch "
        "arschlöcher fotze fotzen hurensohn hurensöhne wichser"
    ),
    "es": _listed(
        "joder jódete jodido jodida mierda mierdas puta putas puto putos hijoputa hijueputa cabrón cabrones cabrona "
        "coño gilipollas pendejo pendejos pendeja chingar chinga chingada chingado maricón maricones"
    ),
    "fr": _listed(
        "putain putains merde merdes merdique emmerde emmerder connard connards connasse connasses enculé enculés "
        "enculer salope salopes pute putes niquer nique chier"
    ),
    "it": _listed(
        "cazzo cazzi cazzata cazzate merda merde stronzo stronzi stronza stronze stronzata stronzate vaffanculo "
        "fanculo puttana puttane coglione coglioni minchia"
    ),
    "pt": _listed(
        "caralho porra merda merdas puta putas foda foder fode fodido fodida foda-se cabrão cabrões buceta boceta "
        "arrombado"
    ),
    "ru": _listed(
        "блядь блять бля блядский сука суки хуй хуя хую хуем хуйня хуйню нахуй похуй охуел охуеть пизда пизды пизду "
        "пиздец ебать ебал ебаный ёбаный ебаная ебаное заебал заебись мудак мудаки пидор пидорас"
    ),
}  # fmt: skip
"""By language, whole words in lower case, with the forms in which they are used."""


def masked(word: str) -> str:
    """Return a word with an asterisk for each letter but its first ("f***")."""
    return word[:1] + "*" * (len(word) - 1)
