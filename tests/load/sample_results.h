#pragma once
/// A run as pop3load could have measured it, for the tests of its reports.

#include <cstdint>
#include <string_view>

namespace pop3load {

struct Results;

/// What a server said that wants to be more than text: markup, a script, control characters.
inline constexpr std::string_view hostile_text =
    "\"+OK</script><script>document.title='x'</script><!-- \x1b[2J \xff&amp;\"";

/// A minute at 400 sessions a second, open model. The server stalls for three seconds in the
/// middle; a few sessions fail, one by a wrong answer; the server is watched.
Results sample_results(std::uint64_t seed);

/// A run in which nothing ended.
Results empty_results();

}  // namespace pop3load
