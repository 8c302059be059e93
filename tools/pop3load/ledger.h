#pragma once
/// What a user's maildrop must hold, remembered from one session to the next: how many messages
/// there were, their unique-ids and content, and those whose removal the server acknowledged.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "steps.h"

namespace pop3load {

/// A fault, and what was seen, in words.
struct Finding {
    Fault fault;
    std::string what;
};

/// A message of a listing.
struct Listed {
    std::uint64_t id_hash = 0;  ///< of the unique-id; 0: UIDL was not asked
    std::uint64_t octets = 0;
    bool is_new = false;        ///< no session before has seen it; Ledger::check() says so
    std::uint64_t content = 0;  ///< hash of what RETR sent; 0: not looked at. The Ledger's own.
};

class Ledger {
public:
    /// Compares a whole listing with what is known; then it is what is known. Mail may have come;
    /// none may have gone, changed or come back.
    std::optional<Finding> check(std::span<Listed> listing);
    /// Compares the number of messages, which STAT or LIST said, with the one before: it falls by
    /// removals only. All that is known of a maildrop where UIDL is not asked.
    std::optional<Finding> check_count(std::uint64_t count);
    /// Compares what RETR sent, by its hash, with what it sent before under the same unique-id.
    std::optional<Finding> check_content(std::uint64_t id_hash, std::uint64_t content);
    /// The server acknowledged the removal.
    void removed(std::uint64_t id_hash);
    /// The session ended between QUIT and its answer: the message may be there or not.
    void forget(std::uint64_t id_hash);

private:
    std::vector<Listed> known_;    // by id_hash
    std::uint64_t count_min_ = 0;  // messages that must be there
    std::unordered_set<std::uint64_t> removed_;
};

/// Of every user, by number, over all runs of one command. A user is one thread's in each of them,
/// so that no two threads ask for the same one at once.
class Ledgers {
public:
    explicit Ledgers(std::size_t users) : ledgers_(users) {}
    Ledger& of(std::uint32_t user) {
        std::unique_ptr<Ledger>& ledger = ledgers_[user];
        if (!ledger) ledger = std::make_unique<Ledger>();
        return *ledger;
    }

private:
    std::vector<std::unique_ptr<Ledger>> ledgers_;  // null: the user has had no session
};

/// The lines of an answer to LIST (octets) or UIDL (unique-ids) into `messages`, which they make
/// as long as they are or, where it is not empty, must match. The error tells what was wrong.
std::expected<void, Finding> read_list(std::string_view lines, std::vector<Listed>& messages);
std::expected<void, Finding> read_uidl(std::string_view lines, std::vector<Listed>& messages);

/// "+OK 3 1200": the count and the octets.
struct Stat {
    std::uint32_t count;
    std::uint64_t octets;
};
std::optional<Stat> read_stat(std::string_view status);

}  // namespace pop3load
