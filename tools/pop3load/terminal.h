#pragma once
/// The live view of a run: once a second, in place on a terminal, else a line each.

#include <array>
#include <cstddef>
#include <cstdio>
#include <string>

#include "results.h"

namespace pop3load {

/// What is shown once a second.
struct Moment {
    Interval interval;           ///< the second that just ended
    double elapsed_seconds = 0;  ///< since the load began, the warm-up included
    double total_seconds = 0;    ///< of the load, as asked
    bool warming_up = false;     ///< what is shown will not be in the results
    FaultCounts fault_counts{};  ///< as in Results, so far
};

/// "12 s  9,998/s  in flight 31  p50 310 us  p99 1.20 ms  p99.9 4.50 ms  faults: timed_out 3".
/// Latencies are corrected, of whole sessions that ended in the second, within 19 %.
std::string live_line(const Moment& moment);

/// The same on two lines with a bar, each cut to `columns` and without a line end.
std::array<std::string, 2> live_view(const Moment& moment, std::size_t columns);

/// "[####....]", `columns` between the brackets; `share` of 0 to 1 is done, more counts as all.
std::string bar(double share, std::size_t columns);

/// Whether text on `descriptor` can be written over: a terminal, and TERM does not say it is dumb.
bool can_redraw(int descriptor);

class Terminal {
public:
    /// `file` (stderr) must outlive this. It is redrawn in place when it is a terminal that can.
    explicit Terminal(std::FILE* file);
    void show(const Moment& moment);
    /// Takes the view away, where it is redrawn: the report follows. Lines stay.
    void clear();

private:
    void write(const std::string& text);

    std::FILE* file_;
    bool redraws_;
    bool shown_ = false;
};

}  // namespace pop3load
