#include "sim/canary.h"

namespace restante::sim {
namespace {

class CanaryVerifier final : public Verifier {
public:
    CanaryVerifier(Verifier& inner, Canary canary) : inner_(inner), canary_(canary) {}

    Task<Result<Verdict>> verify(Proof proof, LoginOrigin origin) override {
        const auto* password = std::get_if<PasswordProof>(&proof);
        const std::string user(password == nullptr ? "" : password->user);
        Result<Verdict> verdict = co_await inner_.verify(proof, origin);
        if (!verdict || user.empty()) co_return verdict;
        const bool is_right = std::holds_alternative<Account>(*verdict);
        if (canary_ == Canary::lets_anybody_in && !is_right) {
            Account account;
            account.name = user;
            co_return Verdict(std::move(account));
        }
        const bool is_refused = canary_ == Canary::refuses_owner && ++asked_ % 8 == 0;
        if (is_refused) co_return Verdict(Rejected());
        co_return verdict;
    }
    Task<Result<Credentials>> credentials(CredentialQuery query, LoginOrigin origin) override {
        return inner_.credentials(query, origin);
    }

private:
    Verifier& inner_;
    const Canary canary_;
    std::uint64_t asked_ = 0;
};

bool is_between(Canary canary, Canary first, Canary last) {
    return canary >= first && canary <= last;
}

}  // namespace

std::span<const CanaryRow> all_canaries() {
    using enum Invariant;
    static const CanaryRow rows[] = {
        {Canary::forgets_sync, "forgets fsync", {removals_are_final}},
        {Canary::syncs_own_only, "syncs only what it has removed itself", {removals_are_final}},
        {Canary::ignores_lock, "ignores the lock", {one_session_a_maildrop}},
        {Canary::drops_reply,
         "drops a reply",
         {replies_in_order, answered, session_constant, octets_exact, tls_protects}},
        {Canary::loses_octet,
         "loses an octet",
         {replies_in_order, answered, octets_exact, tls_protects}},
        {Canary::flips_octet, "flips an octet of a message", {octets_exact}},
        {Canary::quits_early,
         "quits before the line has ended",
         {only_marked_removed, replies_in_order}},
        {Canary::ignores_lists, "ignores the list of a former server", {unique_ids_lasting}},
        {Canary::swallows_injection, "goes on after octets behind STLS", {tls_protects}},
        {Canary::falls_silent, "falls silent", {answered}, true},
        {Canary::doubles_noop, "replies twice to NOOP", {replies_in_order}, true},
        {Canary::leaks_descriptor, "leaks a descriptor", {descriptors_returned}, true},
        {Canary::leaves_operation, "leaves an operation in flight", {operations_complete}},
        {Canary::destroys_operation, "destroys an operation in flight", {no_assertion_fails}},
        {Canary::removes_unmarked, "removes an unmarked message", {only_marked_removed}},
        {Canary::removes_without_quit, "removes without QUIT", {only_marked_removed}},
        {Canary::keeps_marked, "removes nothing and says +OK", {removals_are_final}},
        {Canary::keeps_one, "removes all but one and says +OK", {removals_are_final}},
        {Canary::drifting_unique_id, "gives another unique-id next time", {unique_ids_lasting}},
        {Canary::changing_unique_id,
         "changes a unique-id in a session",
         {session_constant, unique_ids_lasting}},
        {Canary::wrong_octets, "lists wrong octets", {session_constant, octets_exact}},
        {Canary::renumbers, "numbers anew after DELE", {session_constant}},
        {Canary::hides_message, "hides a message", {listing_complete}},
        {Canary::sends_another, "sends another message", {octets_exact}},
        {Canary::gives_up_on_change, "refuses RETR once mail came", {octets_exact}},
        {Canary::opens_another, "opens another user's maildrop", {unique_ids_lasting}},
        {Canary::stuffs_nothing, "stuffs nothing", {octets_exact, replies_in_order}},
        {Canary::bare_line_ends, "sends bare line ends", {octets_exact, answered}},
        {Canary::cuts_short, "ends a message that is not whole", {octets_exact}},
        {Canary::no_termination, "forgets the termination", {octets_exact, answered}},
        {Canary::top_too_long, "TOP sends everything", {octets_exact}},
        {Canary::doubles_reply,
         "replies twice",
         {replies_in_order, octets_exact, session_constant}},
        {Canary::leaks_buffer, "leaks a buffer", {buffers_returned}, true},
        {Canary::leaks_memory, "leaks memory", {memory_returned}},
        {Canary::lets_anybody_in, "lets in with a wrong password", {right_passwords_only}},
        {Canary::refuses_owner, "refuses a right password", {right_passwords_only}},
    };
    return rows;
}

std::unique_ptr<Verifier> make_canary_verifier(Verifier& verifier, Canary canary) {
    return std::make_unique<CanaryVerifier>(verifier, canary);
}

Seams seams_of(Canary canary) {
    Seams seams;
    if (is_between(canary, Canary::forgets_sync, Canary::destroys_operation))
        seams.ring = [canary](SimRing& ring) { return make_canary_ring(ring, canary); };
    if (is_between(canary, Canary::removes_unmarked, Canary::opens_another)) {
        seams.store = [canary](World& world, std::unique_ptr<Store> store) {
            return make_canary_store(world, std::move(store), canary);
        };
    }
    if (is_between(canary, Canary::stuffs_nothing, Canary::leaks_memory)) {
        seams.delivery = [canary](World& world, std::unique_ptr<Delivery> delivery) {
            return make_canary_delivery(world, std::move(delivery), canary);
        };
    }
    if (is_between(canary, Canary::lets_anybody_in, Canary::refuses_owner)) {
        seams.verifier = [canary](World&, Verifier& verifier) {
            return make_canary_verifier(verifier, canary);
        };
    }
    return seams;
}

}  // namespace restante::sim
