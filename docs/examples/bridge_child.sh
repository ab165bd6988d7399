#!/bin/sh
# A child of the bridge (docs/bridge.md) around any program that prints what it hears in a file, with jq:
#
#     bridge_child.sh PROGRAM [ARGUMENT...]
#
# PROGRAM gets one more argument, a file of raw samples: float32, little endian, mono, 16 kHz. For one that wants a WAV
# file, `sox -t f32 -r 16000 -c 1 FILE out.wav` makes it. What was dictated is never an argument here: every user of the
# machine can read those.
answer() {
    jq -cn --argjson id "$id" "{\$id} + $1"
}

while IFS= read -r request; do
    id=$(printf '%s\n' "$request" | jq .id)
    case $(printf '%s\n' "$request" | jq -r .type) in
    hello) answer '{type: "hello", protocol: 1, name: "shell", audio: ["file"]}' ;;
    load) answer '{type: "loaded"}' ;;
    decode)
        file=$(printf '%s\n' "$request" | jq -r .audio.path)
        if text=$("$@" "$file" </dev/null); then
            printf '%s' "$text" | jq -cRs --argjson id "$id" '{$id, type: "result", text: .}'
        else
            answer '{type: "error", code: "failed", message: "the program failed"}'
        fi
        ;;
    unload) answer '{type: "unloaded"}' ;;
    cancel) ;;
    bye)
        answer '{type: "bye"}'
        exit 0
        ;;
    *) answer '{type: "error", code: "unsupported"}' ;;
    esac
done
