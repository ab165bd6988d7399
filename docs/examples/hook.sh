#!/bin/sh
# A hook in shell, with jq(1): texts in the code mode stay as they are, all others get typographic apostrophes.
set -eu
said=$(cat)
text() { printf '%s' "$said" | jq -r .text; }
case $(printf '%s' "$said" | jq -r .mode) in
    code) text ;;
    *) text | sed "s/\([[:alpha:]]\)'\([[:alpha:]]\)/\1’\2/g" ;;
esac
