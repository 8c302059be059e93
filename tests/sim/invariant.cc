#include "sim/invariant.h"

#include "base/assert.h"

namespace restante::sim {

std::string_view name_of(Invariant invariant) {
    using enum Invariant;
    switch (invariant) {
        case only_marked_removed:
            return "only marked messages of sessions whose QUIT arrived are removed";
        case removals_are_final: return "what was acknowledged as removed stays removed";
        case octets_exact: return "a message sent with its final dot is whole and octet-exact";
        case session_constant: return "numbers, octets and unique-ids are constant in a session";
        case unique_ids_lasting: return "a unique-id is one message's, and for ever";
        case listing_complete: return "a listing has every message that was there, and no other";
        case replies_in_order: return "one reply a command, in order, as the model says";
        case answered: return "a client that behaves is answered and not thrown out";
        case right_passwords_only: return "the right password lets in, and nothing else does";
        case tls_protects: return "under TLS only what the client has sealed counts, and is whole";
        case one_session_a_maildrop: return "a maildrop is open in one session at a time";
        case operations_complete: return "every operation completes on a live owner";
        case buffers_returned: return "every buffer is back in its pool";
        case descriptors_returned: return "descriptors return to the start";
        case memory_returned: return "memory returns to the start";
        case no_assertion_fails: return "no assertion fails and no signal comes";
    }
    ASSERT(!"an Invariant");
}

}  // namespace restante::sim
