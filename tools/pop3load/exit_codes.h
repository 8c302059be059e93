#pragma once
/// What pop3load's exit says.

namespace pop3load {

inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;  ///< a wrong answer, a threshold, nothing measured or made
inline constexpr int exit_usage = 2;
inline constexpr int exit_fell_behind = 4;  ///< the generator was the limit: nothing was measured
inline constexpr int exit_interrupted = 130;

}  // namespace pop3load
