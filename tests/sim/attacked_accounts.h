#pragma once
/// A real user database in a simulated world, for tests of logins under attack.

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/hashing.h"
#include "auth/passwd_verifier.h"
#include "sim/account_ring.h"
#include "sim/world.h"

namespace restante::sim {

inline constexpr Duration hash_time = std::chrono::milliseconds(2);  // SHA512-CRYPT
/// MD5-CRYPT of "secret": here it costs hash_time by decree, and little to test.
inline constexpr std::string_view crypt_of_secret = "{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//";

/// owner, other and third. Everybody's password is "secret".
class Accounts final : public Verifier {
public:
    struct Options {
        Duration cache_ttl = Duration::zero();
        Duration hash_time = sim::hash_time;
        std::string_view stored = crypt_of_secret;
    };
    Accounts(SimRing& ring, Throttle& of_world, const Options& options)
        : throttle(of_world),
          ring_(ring, 1, options.hash_time),
          memory_(hash_memory_kib_max, std::chrono::seconds(1)),
          hashing_(ring_, throttle, memory_, {hashes_a_helper, hash_wait_default}) {
        char folder[] = "/tmp/attack-test-XXXXXX";
        REQUIRE(::mkdtemp(folder) != nullptr);
        folder_ = folder;
        std::FILE* file = std::fopen(path().c_str(), "w");
        for (const char* name : {"owner", "other", "third"}) {
            std::fprintf(file, "%s:%s\n", name, std::string(options.stored).c_str());
        }
        std::fclose(file);
        if (options.cache_ttl > Duration::zero())
            cache_ = *VerificationCache::make(options.cache_ttl);
        verifier_.emplace(ring_, log_,
                          PasswdSource{*PasswdPlace::open(path()),
                                       {},
                                       *load_passwd_table(path()),
                                       cache_.get(),
                                       hashing_});
    }
    ~Accounts() override {
        ::unlink(path().c_str());
        ::rmdir(folder_.c_str());
    }
    Task<Result<Verdict>> verify(Proof proof, LoginOrigin origin) override {
        return verifier_->verify(proof, origin);
    }
    Task<Result<Credentials>> credentials(CredentialQuery query, LoginOrigin origin) override {
        return verifier_->credentials(query, origin);
    }
    std::uint64_t hashed() const { return ring_.hashed(); }
    std::size_t waiting() const { return hashing_.waiting(); }

    Throttle& throttle;

private:
    class Silence final : public Log {
    public:
        bool is_enabled(LogLevel) const override { return false; }
        void write(LogLevel, std::string_view) override {}
    };
    std::string path() const { return folder_ + "/users"; }

    AccountRing ring_;
    Silence log_;
    HashMemory memory_;
    Hashing hashing_;
    std::string folder_;
    std::unique_ptr<VerificationCache> cache_;
    std::optional<PasswdFileVerifier> verifier_;
};

}  // namespace restante::sim
