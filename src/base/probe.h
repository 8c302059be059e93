#pragma once
/// USDT probes: one no-op instruction each while nobody traces.
///
///     bpftrace -e 'usdt:./restante:restante:phase { printf("%s %d\n", str(arg0), arg1); }'

#include <sys/sdt.h>

#include <cstdint>

namespace restante {

/// What a session is busy with; each begins where the one before ends.
enum class Phase : std::uint8_t { connect, tls, authentication, open, commands, update, closed };
inline constexpr std::size_t phases = 7;

/// `session` is the session's id, NUL-terminated.
inline void probe_phase(const char* session, Phase phase) {
    DTRACE_PROBE2(restante, phase, session, static_cast<int>(phase));
}

}  // namespace restante
