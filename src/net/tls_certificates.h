#pragma once
/// The TLS context in force: made at the start, made again when a file of it has changed. A broken
/// new one never takes the place of the one that works.

#include <atomic>
#include <expected>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "net/tls_context.h"
#include "net/tls_settings.h"
#include "net/tls_ticket_keys.h"

namespace restante {

/// A line for the operator.
struct TlsNotice {
    LogLevel level;
    std::string text;
};

/// current() from any thread. check() and reload() read files: off the reactors, one at a time.
class TlsCertificates {
public:
    struct Opened {
        std::unique_ptr<TlsCertificates> certificates;
        std::vector<TlsNotice> notices;
    };
    /// The error is a sentence: the server cannot start like this.
    static std::expected<Opened, std::string> open(TlsSettings settings, WallTime now);

    /// For a new connection.
    std::shared_ptr<const TlsContext> current() const { return current_.load(); }

    /// To be called once a minute: picks up changed files, replaces old ticket keys. What is the
    /// same as the last time is not said again.
    std::vector<TlsNotice> check(WallTime now);
    /// SIGHUP: `settings` may be others; everything is read, changed or not.
    std::vector<TlsNotice> reload(TlsSettings settings, WallTime now);

private:
    /// What tells one state of a file from another; all 0 where there is none.
    struct Stamp {
        std::uint64_t device = 0;
        std::uint64_t inode = 0;
        std::uint64_t octets = 0;
        std::int64_t modified = 0;  // nanoseconds
        std::int64_t changed = 0;
        friend bool operator==(const Stamp&, const Stamp&) = default;
    };
    using Stamps = std::map<std::string, Stamp>;

    TlsCertificates(TlsSettings settings, WallTime now);
    static Stamps stamps_of(const TlsSettings& settings);
    std::expected<void, std::string> load_ticket_keys();
    /// The settings as they are now on disk; the notices say what came of it.
    std::vector<TlsNotice> load(WallTime now);
    std::vector<TlsNotice> complain(std::string sentence, bool is_changed);

    TlsSettings settings_;
    std::shared_ptr<TlsTicketKeys> tickets_;
    std::atomic<std::shared_ptr<const TlsContext>> current_;
    Stamps stamps_;          // of what was read last
    std::string complaint_;  // why settings_ are not in force; "" = they are
    bool staple_end_said_ = false;
};

}  // namespace restante
