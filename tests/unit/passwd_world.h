#pragma once
/// A PasswdFileVerifier of a real file, on a ring that does everything at once.

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/digest.h"
#include "auth/hashing.h"
#include "auth/passwd_verifier.h"
#include "ring/blocking_calls.h"

namespace restante {

/// Does everything at once, inside attempt(), with real system calls; counts and fails what a test
/// asks for.
class InlineRing final : public Ring {
public:
    bool attempt(Operation& operation) override {
        const Request& request = operation.request;
        if (request.kind == Request::Kind::offload) {
            if (request.helper == HelperKind::hashing) ++hashed;
            if (holds == request.helper) return false;
            if (queue_is_full) {
                operation.result = -EAGAIN;
                return true;
            }
            request.work->run();
            operation.result = 0;
        } else if (request.kind == Request::Kind::sleep) {
            ++slept;
            operation.result = -ETIMEDOUT;
        } else {
            if (request.kind == Request::Kind::open) ++opened;
            if (request.kind == Request::Kind::status_at) ++looked;
            operation.result = carry_out(request);
        }
        return true;
    }
    void submit(Operation& operation) override {
        operation.in_flight = true;
        held.push_back(&operation);
    }
    /// Carries out what was held back.
    void release() {
        holds.reset();
        for (Operation* operation : std::exchange(held, {})) {
            operation->in_flight = false;
            attempt(*operation);
            operation->on_complete(*operation);
        }
    }
    void cancel(Operation&) override {}
    void close(int fd) override { ::close(fd); }
    void turn() override {}
    void wake() override {}
    Instant now() const override { return time; }
    WallTime wall_time() const override { return WallTime{.nanoseconds = wall_nanoseconds}; }
    void fill_random(std::span<std::byte> target) override {
        for (std::byte& octet : target) octet = std::byte{7};
    }

    int hashed = 0;
    int slept = 0;
    int opened = 0;
    int looked = 0;
    Instant time = Instant{} + std::chrono::hours(1);
    bool queue_is_full = false;
    std::optional<HelperKind> holds;  ///< whose work waits for release()
    std::vector<Operation*> held;
    std::int64_t wall_nanoseconds = 0;  // 1970: every file's times are settled
};

class MemoryLog final : public Log {
public:
    bool is_enabled(LogLevel) const override { return true; }
    void write(LogLevel level, std::string_view message) override {
        lines.emplace_back(message);
        if (level == LogLevel::error) ++errors;
    }
    std::vector<std::string> lines;
    int errors = 0;
};

inline constexpr const char* users =
    "plain@example.org:{PLAIN}secret:::Plain:/home/plain::userdb_mail=maildir:~/Maildir\n"
    "hashed@example.org:{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//\n"
    "other@example.org:{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//\n"
    "away@example.org:{CRYPT}$1$saltsalt$9xy1btjgzLYfb7hivXtC//::::::nologin\n"
    "locked@example.org:!\n"
    "bad@example.org:{WHAT}x\n";

/// A folder with the file `users`, and a verifier of it.
class World {
public:
    explicit World(bool loads_at_start = true, std::string_view content = users,
                   Duration cache_ttl = Duration::zero()) {
        char folder[] = "/tmp/passwd-verifier-test-XXXXXX";
        REQUIRE(::mkdtemp(folder) != nullptr);
        folder_ = folder;
        write_users(content);
        std::shared_ptr<const PasswdTable> initial;
        if (loads_at_start) {
            auto loaded = load_passwd_table(path());
            REQUIRE(loaded.has_value());
            initial = *loaded;
        }
        auto place = PasswdPlace::open(path());
        REQUIRE(place.has_value());
        if (cache_ttl != Duration::zero()) cache = *VerificationCache::make(cache_ttl);
        verifier.emplace(ring, log,
                         PasswdSource{std::move(*place),
                                      {"example.org", NameMatch::ignore_case},
                                      std::move(initial),
                                      cache.get(),
                                      hashing});
        // A table loaded within the granularity of file times is read again once; tests start after
        // that.
        if (loads_at_start) {
            (void)verify(PasswordProof{"plain", "secret"});
            ring.hashed = ring.opened = 0;
        }
    }
    ~World() {
        ::unlink(path().c_str());
        ::rmdir(path().c_str());
        ::rmdir(folder_.c_str());
    }

    std::string path() const { return folder_ + "/users"; }
    /// Replaced as a whole, as `restante passwd` does.
    void write_users(std::string_view content) {
        const std::string fresh = path() + ".new";
        std::FILE* file = std::fopen(fresh.c_str(), "w");
        REQUIRE(file != nullptr);
        std::fwrite(content.data(), 1, content.size(), file);
        std::fclose(file);
        REQUIRE(::rename(fresh.c_str(), path().c_str()) == 0);
    }
    /// So long after the last one that the file is looked at.
    Result<Verdict> verify(const Proof& proof) {
        ring.time += passwd_look_interval;
        Task<Result<Verdict>> task = verifier->verify(proof);
        task.start(nullptr, nullptr);
        REQUIRE(task.is_done());
        return task.take();
    }
    Result<Verdict> log_in(std::string_view user, std::string_view password) {
        return verify(PasswordProof{user, password});
    }
    bool accepts(std::string_view user, std::string_view password) {
        const Result<Verdict> verdict = log_in(user, password);
        REQUIRE(verdict.has_value());
        return std::holds_alternative<Account>(*verdict);
    }
    bool accepts_apop(std::string_view user, std::string_view secret) {
        const std::string timestamp = "<1896.697170952@dbc.mtview.ca.us>";
        const std::string digest =
            hex_encode(digest_of(DigestAlgorithm::md5, timestamp, secret)->view());
        const Result<Verdict> verdict = verify(ApopProof{user, timestamp, digest});
        REQUIRE(verdict.has_value());
        return std::holds_alternative<Account>(*verdict);
    }

    InlineRing ring;
    MemoryLog log;
    std::unique_ptr<VerificationCache> cache;
    Throttle throttle{{Duration::zero(), Duration::zero(), {}}};
    HashMemory hash_memory{hash_memory_kib_default, hash_wait_default};
    Hashing hashing{ring, throttle, hash_memory, {hashes_a_helper, hash_wait_default}};
    std::optional<PasswdFileVerifier> verifier;

private:
    std::string folder_;
};

}  // namespace restante
