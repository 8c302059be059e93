// What a login costs before its maildrop is opened: the user's line, the password; through the real
// verifier on the real ring. "hashed": no cache; "cached": the password was right before. CPU is
// the reactor's own; the hash is on another thread.
#include "auth/passwd_verifier.h"

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "auth/password_scheme.h"
#include "auth/verification_cache.h"
#include "ring/uring_ring.h"

namespace restante {
namespace {

constexpr PasswordProof right{"user500@example.org", "two blind mice"};

class SilentLog final : public Log {
public:
    bool is_enabled(LogLevel) const override { return false; }
    void write(LogLevel, std::string_view) override {}
};

/// A passwd-file of 1000 users in /tmp; removed at the end.
class Users {
public:
    explicit Users(std::string_view stored) {
        char name[] = "/tmp/restante-bench.XXXXXX";
        folder_ = ::mkdtemp(name);
        std::ofstream file(path());
        for (int i = 0; i < 1000; ++i) {
            file << "user" << i << "@example.org:" << stored << ":::::\n";
        }
        file.close();
        std::this_thread::sleep_for(2 * file_time_granularity);
    }
    ~Users() { std::filesystem::remove_all(folder_); }
    std::string path() const { return (folder_ / "users").string(); }

private:
    std::filesystem::path folder_;
};

std::string hash_of(std::string_view scheme) { return *hash_password(right.password, scheme); }

bool is_accepted(Ring& ring, Verifier& verifier) {
    Task<Result<Verdict>> task = verifier.verify(right);
    task.start([](void*) {}, nullptr);
    while (!task.is_done()) ring.turn();
    const Result<Verdict> verdict = task.take();
    return verdict && std::holds_alternative<Account>(*verdict);
}

void log_in(benchmark::State& state, std::string_view scheme, bool is_cached) {
    const Users users(hash_of(scheme));
    HelperPool helpers(default_helper_sizes());
    const std::expected<std::unique_ptr<Ring>, std::string> ring = make_uring_ring(helpers, {});
    if (!ring) return state.SkipWithError(ring.error().c_str());
    SilentLog log;
    const auto cache = *VerificationCache::make(std::chrono::hours(1));
    Throttle throttle({Duration::zero(), Duration::zero(), {}});
    HashMemory memory(hash_memory_kib_default, hash_wait_default);
    Hashing hashing(**ring, throttle, memory, {hashes_a_helper, hash_wait_default});
    PasswdFileVerifier verifier(**ring, log,
                                {*PasswdPlace::open(users.path()),
                                 {},
                                 *load_passwd_table(users.path()),
                                 is_cached ? cache.get() : nullptr,
                                 hashing});
    if (!is_accepted(**ring, verifier)) return state.SkipWithError("not accepted");
    for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(is_accepted(**ring, verifier));
}

void plain(benchmark::State& state) { log_in(state, "PLAIN", true); }
void sha512_crypt_hashed(benchmark::State& state) { log_in(state, "SHA512-CRYPT", false); }
void sha512_crypt_cached(benchmark::State& state) { log_in(state, "SHA512-CRYPT", true); }
void argon2id_cached(benchmark::State& state) { log_in(state, "ARGON2ID", true); }

/// The cache alone.
void tag_and_look(benchmark::State& state) {
    const auto cache = *VerificationCache::make(std::chrono::hours(1));
    const std::string stored = hash_of("SHA512-CRYPT");
    const VerificationCache::Login login{right.user, right.password, stored};
    cache->remember(cache->tag_of(login), Instant{});
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(cache->holds(cache->tag_of(login), Instant{}));
    }
}

BENCHMARK(plain);
BENCHMARK(sha512_crypt_hashed);
BENCHMARK(sha512_crypt_cached);
BENCHMARK(argon2id_cached);
BENCHMARK(tag_and_look);

}  // namespace
}  // namespace restante
