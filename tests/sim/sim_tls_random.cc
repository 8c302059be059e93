#include "sim/sim_tls_random.h"

#include <openssl/rand.h>

#include <optional>

#include "base/assert.h"
#include "sim/sim_random.h"

// OpenSSL 3.0 deprecates RAND_METHOD, but asks it first wherever there is one.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace restante::sim {
namespace {

/// A RAND_METHOD has no context.
std::optional<SimRandom>& dice() {
    static std::optional<SimRandom> only;
    return only;
}

int fill(unsigned char* target, int octets) {
    for (int i = 0; i < octets; ++i) target[i] = static_cast<unsigned char>(dice()->next() >> 56);
    return 1;
}

int is_seeded() { return 1; }

const RAND_METHOD method = {.seed = nullptr,
                            .bytes = fill,
                            .cleanup = nullptr,
                            .add = nullptr,
                            .pseudorand = fill,
                            .status = is_seeded};

}  // namespace

SimTlsRandom::SimTlsRandom(std::uint64_t seed) {
    ASSERT(!dice().has_value());
    dice().emplace(seed);
    RAND_set_rand_method(&method);
}

SimTlsRandom::~SimTlsRandom() {
    RAND_set_rand_method(nullptr);
    dice().reset();
}

}  // namespace restante::sim
