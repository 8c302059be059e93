#pragma once
/// Programmer errors: always on, in every build. The world's errors are Result (result.h).

namespace restante {

/// Prints the condition and its place to stderr, then aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);

}  // namespace restante

#define ASSERT(condition) \
    ((condition) ? void() : restante::assertion_failed(#condition, __FILE__, __LINE__))
