# Sourced by tools/test and tools/soak: runs the parts of a test run and adds up their counts.

passed=0
failed=0
notes=()
lanes=()
part_seconds_max=${part_seconds_max:-600}
mkdir -p build/test-logs
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-halt_on_error=1:print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1}

# part NAME COUNTING COMMAND...: runs COMMAND. COUNTING says where its counts are: `doctest` (its
# summary), `summary` (a last line "N passed, N failed") or `one` (the exit code is one test). Why tests
# were skipped, and the figures of loads, are said again at the end.
part() {
    local name=$1 counting=$2 log status=0 started=$SECONDS good=0 bad=0
    shift 2
    log=build/test-logs/${name// /-}.log
    timeout --foreground --kill-after=30 "$part_seconds_max" "$@" >"$log" 2>&1 || status=$?
    case "$counting" in
        doctest) counts_of '.*test cases: *[0-9]* *| *\([0-9]*\) passed *| *\([0-9]*\) failed.*' ;;
        summary) counts_of '^\([0-9]*\) passed, \([0-9]*\) failed$' ;;
        one) if ((status == 0)); then good=1; else bad=1; fi ;;
    esac
    # A crash, or a run of no test at all, is a failure too.
    if ((bad == 0 && (status != 0 || good == 0))); then bad=1; fi
    if ((bad > 0)); then
        cat "$log"
        echo "FAILED: $name (exit $status): $*"
    fi
    local line
    while IFS= read -r line; do notes+=("$name: $line"); done \
        < <(grep -E '^(skipped|load): ' "$log" || true)
    printf '%-22s %5d passed, %d failed  (%d s)\n' "$name" "$good" "$bad" $((SECONDS - started))
    passed=$((passed + good))
    failed=$((failed + bad))
}

# lane FUNCTION [ARGUMENT...]: begins the parts that FUNCTION runs, beside those of other lanes.
lane() {
    local counts=build/test-logs/lane-${#lanes[@]}
    rm -f "$counts"
    set -m  # a process group of its own, which Ctrl-C is passed on to
    (
        passed=0 failed=0 notes=()
        "$@"
        printf '%s\n' "$passed $failed" "${notes[@]}" >"$counts"
    ) &
    set +m
    lanes+=($!)
}

# Waits for all lanes, and adds up their counts.
join_lanes() {
    local number good bad line
    for number in "${!lanes[@]}"; do
        wait "${lanes[number]}" || failed=$((failed + 1))
        if [[ ! -s build/test-logs/lane-$number ]]; then continue; fi
        read -r good bad <"build/test-logs/lane-$number"
        passed=$((passed + good))
        failed=$((failed + bad))
        while IFS= read -r line; do notes+=("$line"); done \
            < <(tail -n +2 "build/test-logs/lane-$number" | grep . || true)
    done
    lanes=()
}

end_lanes() {
    for lane in "${lanes[@]}"; do kill -- "-$lane" 2>/dev/null || true; done
    exit 130
}
trap end_lanes INT TERM

# Sets good and bad from the last line of $log that the pattern matches.
counts_of() {
    local counts
    counts=$(sed -n "s/$1/\\1 \\2/p" "$log" | tail -1)
    [[ -z $counts ]] || read -r good bad <<<"$counts"
}

finish() {
    ((${#notes[@]} == 0)) || printf '%s\n' "${notes[@]}"
    echo "$passed passed, $failed failed"
    ((failed == 0))
}
