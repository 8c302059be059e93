#pragma once
/// What must hold of a simulated post office, by name: each is what some check asserts.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace restante::sim {

enum class Invariant : std::uint8_t {
    only_marked_removed,   ///< and of sessions whose QUIT has arrived
    removals_are_final,    ///< what +OK to QUIT acknowledged is gone, and stays so
    octets_exact,          ///< what ends with its final "." is whole
    session_constant,      ///< numbers, octets and unique-ids
    unique_ids_lasting,    ///< one for each message, for ever
    listing_complete,      ///< what was there all the time, and nothing that was not
    replies_in_order,      ///< one a command, each as the model says
    answered,              ///< nobody who behaves waits in vain, or is thrown out
    right_passwords_only,  ///< lets in, and always does
    tls_protects,  ///< what clients did not seal does nothing; what they get under TLS is whole
    one_session_a_maildrop,
    operations_complete,  ///< none is in flight for an owner that is gone
    buffers_returned,
    descriptors_returned,
    memory_returned,
    no_assertion_fails,  ///< nor a signal: the run did not end by itself
};
inline constexpr std::size_t invariants = 16;

/// A sentence: "only marked messages of sessions whose QUIT arrived are removed".
std::string_view name_of(Invariant invariant);

/// The first thing that went wrong.
class Verdicts {
public:
    struct Failure {
        Invariant invariant;
        std::string what;
    };
    /// Only the first counts: what follows may be its consequence.
    void fail(Invariant invariant, std::string what) {
        if (!first_) first_.emplace(Failure{invariant, std::move(what)});
    }
    bool has_failed() const { return first_.has_value(); }
    const std::optional<Failure>& first() const { return first_; }

private:
    std::optional<Failure> first_;
};

}  // namespace restante::sim
