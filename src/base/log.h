#pragma once
/// Where lines for the operator go.

#include <cstdint>
#include <string>
#include <string_view>

namespace restante {

enum class LogLevel : std::uint8_t { debug, info, warn, error };

/// Takes whole lines; never blocks a reactor. Implementations: server/reactor_log.h, DirectLog, the
/// tests'.
class Log {
public:
    virtual ~Log() = default;
    /// Cheap: ask before building a line.
    virtual bool is_enabled(LogLevel level) const = 0;
    /// `message` is one line without its end. What came from a client went through log_escaped().
    virtual void write(LogLevel level, std::string_view message) = 0;
};

/// getpid(2), asked once: of a process that does not fork.
int process_id();

/// `text` safe inside a log line and inside <...>: control octets, octets above 0x7E, `<`, `>` and
/// `\` become `\xNN`; at most `octets_max` of the result, then "...".
std::string log_escaped(std::string_view text, std::size_t octets_max = 128);

}  // namespace restante
