#pragma once
/// SCRAM keys that were derived from stored secrets, so that a user's next login costs microseconds
/// instead of scram_iterations.
///
/// Whoever asks for them has proven nothing yet, so time must not tell whose are here. They are
/// therefore tried first, for everybody: where there are none, false ones are. A proof that fits
/// them is right, and who sent it knew the secret. One that does not fit has the keys derived all
/// the same, whether there were any here, and whether there is such a user. So only a right proof
/// is ever answered sooner (verification_cache.h has the same rule).
///
/// They do not expire: keys are a function of the secret, and those of a changed record are not
/// found. They say less than the record, which is in memory too (passwd_file.h).

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "auth/digest.h"
#include "auth/scram.h"

namespace restante {

/// Keys remembered at a time, of which only those used are touched.
inline constexpr std::size_t scram_memory_entries = std::size_t{1} << 13;
inline constexpr std::size_t scram_memory_entry_octets = 96;
/// Entries that one user's may be in; those that were not asked for longest give way.
inline constexpr std::size_t scram_memory_ways = 8;

/// One a reactor, on its thread. Its pages are in no core dump and no child, and wiped at its end.
class ScramMemory {
public:
    struct Origin {
        std::string_view user;    ///< canonical
        std::string_view stored;  ///< the record's secret, as in the file
        DigestAlgorithm algorithm;
    };

    ScramMemory();
    ScramMemory(const ScramMemory&) = delete;
    ScramMemory& operator=(const ScramMemory&) = delete;

    /// `salt` is the one with which they were derived: always the user's (false_credentials.h).
    std::optional<ScramKeys> find(const Origin& origin, const ScramSalt& salt);
    void keep(const Origin& origin, const ScramKeys& keys);

private:
    struct Memory;
    struct Wipe {
        void operator()(Memory* memory) const;
    };
    std::unique_ptr<Memory, Wipe> memory_;
};

}  // namespace restante
