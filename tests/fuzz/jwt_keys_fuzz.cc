// Files of token keys, PEM or a JWK set: refused with a sentence, or a bounded number of keys of
// which none verifies what nobody signed. Input: the file.
#include <string>

#include "auth/jwt.h"
#include "base/assert.h"
#include "fuzz/target.h"

namespace restante::fuzz {

void fuzz_jwt_keys(std::string_view input) {
    const std::expected<JwtKeys, std::string> keys = JwtKeys::parse(input);
    if (!keys) {
        ASSERT(!keys.error().empty() && !keys.error().contains('\n'));
        return;
    }
    ASSERT(keys->size() >= 1 && keys->size() <= jwt_keys_max);
    const std::string zeros(256, '\0');
    const std::string ones(64, '\x01');
    ASSERT(!keys->verify({input, zeros, JwtAlgorithm::rs256, {}}));
    ASSERT(!keys->verify({input, std::string_view(zeros).substr(0, 64), JwtAlgorithm::es256, {}}));
    ASSERT(!keys->verify({input, ones, JwtAlgorithm::es256, "1"}));
}

}  // namespace restante::fuzz
