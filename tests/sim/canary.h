#pragma once
/// Servers with one planted bug each, to see that the simulator notices. The bugs are in wrappers
/// around the ring, the store, the delivery and the verifier: the server's own code is as it is.

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "sim/invariant.h"
#include "sim/world.h"

namespace restante::sim {

enum class Canary : std::uint8_t {
    none,
    // Of the ring.
    forgets_sync,
    syncs_own_only,
    ignores_lock,
    drops_reply,
    loses_octet,
    flips_octet,
    quits_early,
    ignores_lists,
    swallows_injection,
    falls_silent,
    doubles_noop,
    leaks_descriptor,
    leaves_operation,
    destroys_operation,
    // Of the store.
    removes_unmarked,
    removes_without_quit,
    keeps_marked,
    keeps_one,
    drifting_unique_id,
    changing_unique_id,
    wrong_octets,
    renumbers,
    hides_message,
    sends_another,
    gives_up_on_change,
    opens_another,
    // Of the delivery.
    stuffs_nothing,
    bare_line_ends,
    cuts_short,
    no_termination,
    top_too_long,
    doubles_reply,
    leaks_buffer,
    leaks_memory,
    // Of the verifier.
    lets_anybody_in,
    refuses_owner,
};

struct CanaryRow {
    Canary canary;
    std::string_view name;
    std::vector<Invariant> caught_by;  ///< any of them
    bool is_quiet = false;             ///< it has to show without any trouble
};
std::span<const CanaryRow> all_canaries();

Seams seams_of(Canary canary);

// What they are made of; each is the real thing but for `canary`.
std::unique_ptr<Ring> make_canary_ring(SimRing& ring, Canary canary);
std::unique_ptr<Store> make_canary_store(World& world, std::unique_ptr<Store> store, Canary canary);
std::unique_ptr<Delivery> make_canary_delivery(World& world, std::unique_ptr<Delivery> delivery,
                                               Canary canary);
std::unique_ptr<Verifier> make_canary_verifier(Verifier& verifier, Canary canary);

}  // namespace restante::sim
