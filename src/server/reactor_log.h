#pragma once
/// Log lines on their way from a reactor to the log's descriptor, without waiting for it.

#include <string>

#include "base/log.h"
#include "ring/ring.h"
#include "ring/task.h"

namespace restante {

/// What log lines look like: "2026-11-21T04:16:15.123Z restante[4711]: warning: message\n"; info
/// has no level word.
class LogLineFormat {
public:
    /// `ident` outlives it.
    explicit LogLineFormat(std::string_view ident) : ident_(ident) {}
    void append(std::string& target, WallTime when, LogLevel level, std::string_view message);

private:
    void begin_second(std::int64_t seconds);

    const std::string_view ident_;
    // What the lines of one second begin with, but for the milliseconds.
    std::int64_t seconds_ = -1;
    std::string begin_;
};

/// Gathers the lines of a turn; one write is in flight at a time. Lines beyond `pending_octets_max`
/// are counted and dropped: a log that does not take them must not stop the mail.
class ReactorLog final : public Log {
public:
    static constexpr std::size_t pending_octets_max = 1024 * 1024;
    /// Whole lines of up to this much a write: what is no regular file, a pipe, takes no more
    /// unmixed with another reactor's (PIPE_BUF).
    static constexpr std::size_t pipe_write_octets = 4096;
    static constexpr std::size_t file_write_octets = 64 * 1024;
    /// Which of them is right for `file`.
    static std::size_t write_octets_of(int file);
    /// After a write, lines gather this long or up to a write's octets: a busy server writes its
    /// log in pieces that are worth a system call, a quiet one at once.
    static constexpr Duration gather_max = std::chrono::milliseconds(50);
    /// A write that the target does not take in this time is given up, with all that waits behind
    /// it.
    static constexpr Duration write_time_max = std::chrono::seconds(1);

    /// `file` outlives it, as do `ring` and `ident`.
    ReactorLog(Ring& ring, int file, LogLevel level, std::string_view ident,
               std::size_t write_octets = pipe_write_octets)
        : ring_(ring),
          file_(file),
          write_octets_max_(write_octets),
          level_(level),
          format_(ident),
          writing_(write_pending()) {}

    bool is_enabled(LogLevel level) const override { return level >= level_; }
    void write(LogLevel level, std::string_view message) override;
    /// To be called after each turn.
    void flush();
    bool is_flushed() const { return !is_writing_ && pending_.empty(); }

private:
    Task<void> write_pending();

    Ring& ring_;
    const int file_;
    const std::size_t write_octets_max_;
    const LogLevel level_;
    LogLineFormat format_;
    std::string pending_;
    std::string in_flight_;
    std::uint64_t dropped_ = 0;
    bool is_writing_ = false;
    Task<void> writing_;
};

/// For the main thread, where no reactor runs: straight to the descriptor, which has a second to
/// take a line.
class DirectLog final : public Log {
public:
    /// `file` and `ident` outlive it.
    DirectLog(int file, LogLevel level, std::string_view ident)
        : file_(file), level_(level), format_(ident) {}
    bool is_enabled(LogLevel level) const override { return level >= level_; }
    void write(LogLevel level, std::string_view message) override;

private:
    const int file_;
    const LogLevel level_;
    LogLineFormat format_;
};

}  // namespace restante
