#pragma once
/// Verifies users against a passwd-file, which is read again when it changes. Hashes that were
/// right a short while ago are not computed again (verification_cache.h).

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "auth/false_credentials.h"
#include "auth/hashing.h"
#include "auth/passwd_file.h"
#include "auth/password_fault.h"
#include "auth/scram_memory.h"
#include "auth/user_name.h"
#include "auth/verification_cache.h"
#include "auth/verifier.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/wipe.h"
#include "ring/ring.h"

namespace restante {

/// Logins that come within this time of one another look at the file once. A busy reactor spares
/// each login three system calls (1 us of a poll's 90); whoever changes a user and then logs in is
/// slower than that.
inline constexpr Duration passwd_look_interval = std::chrono::milliseconds(10);

/// A passwd-file and the folder it is in. Request::open() stays beneath a folder, so a file has
/// none with an absolute path alone; the folder is opened once, before the reactor runs. A folder
/// that is replaced as a whole is therefore seen at the next start only; a file that is replaced in
/// it, at the first login after passwd_look_interval.
struct PasswdPlace {
    std::string path;  ///< for log lines
    std::string name;  ///< the last component
    Fd folder;

    /// Plain system calls: for start-up. The error is a sentence for an operator.
    static std::expected<PasswdPlace, std::string> open(const std::string& path);
};

struct PasswdSource {
    PasswdPlace place;
    UserNameRules rules;
    std::shared_ptr<const PasswdTable> initial;  ///< null: the first login reads the file
    VerificationCache* cache = nullptr;          ///< null: every login is hashed, SCRAM's too
    Hashing& hashing;                            ///< the reactor's; outlives the verifier
    FalseCredentials false_credentials = FalseCredentials::make();  ///< the same for all reactors
};

/// One a reactor, used on its thread only. Each has its own table once the file has changed; the
/// table that start-up loaded is shared by all, and so is the cache, which outlives them.
class PasswdFileVerifier final : public Verifier {
public:
    PasswdFileVerifier(Ring& ring, Log& log, PasswdSource source)
        : ring_(ring),
          log_(log),
          place_(std::move(source.place)),
          rules_(std::move(source.rules)),
          cache_(source.cache),
          hashing_(source.hashing),
          false_credentials_(source.false_credentials),
          table_(std::move(source.initial)) {
        if (cache_ != nullptr) scram_memory_.emplace();
    }

    /// Of an ExternalProof: whether there is such a user who may log in. A token is not for a
    /// passwd-file to judge: Rejected. Policies of the account, acts_as and master users are the
    /// LoginVerifier's.
    Task<Result<Verdict>> verify(Proof proof, LoginOrigin origin = {}) override;
    Task<Result<Credentials>> credentials(CredentialQuery query, LoginOrigin origin = {}) override;

private:
    /// What a proof is held against. Copied from the table, so that no coroutine that waits for a
    /// hash keeps an old one alive.
    struct Candidate {
        std::optional<Account> account;  // none: rejected whatever the proof says
        Secret stored;                   // "": there is nobody to compare the work with
    };
    /// Why the file could not be read, so that it is said once.
    struct Trouble {
        FileStatus status;
        int system_errno;
        friend bool operator==(const Trouble&, const Trouble&) = default;
    };

    bool was_just_looked_at() const;
    Task<Result<void>> refresh();
    Task<Result<void>> load();
    Task<Result<void>> read_text(int file, std::span<char> target);
    Task<void> replace_table(std::shared_ptr<const PasswdTable> fresh);
    Result<void> not_loaded(const FileStatus& status, const Error& error);

    Result<Candidate> find_candidate(std::string_view given) const;
    /// What has to be hashed, for whom.
    struct Check {
        VerificationCache::Login login;
        bool may_match;
        const LoginOrigin& origin;
    };
    Task<Result<bool>> check_password(Check check);
    Result<bool> outcome_of(const std::expected<bool, PasswordFault>& verified);
    Result<bool> check_apop(const ApopProof& proof, std::string_view stored) const;

    // passwd_credentials.cc
    struct ScramQuery {
        std::string_view user;  // canonical, where it can be one
        DigestAlgorithm algorithm;
        bool derives;
        const LoginOrigin& origin;
    };
    Credentials secret_of(Candidate candidate, std::string_view user) const;
    Task<Result<Credentials>> scram_of(Candidate candidate, ScramQuery query);
    Credentials underived(Candidate candidate, const ScramQuery& query);
    Task<Result<Credentials>> derived(Candidate candidate, ScramQuery query);
    ScramMemory::Origin memory_origin(const Candidate& candidate, const ScramQuery& query) const;

    Error report_busy();

    Ring& ring_;
    Log& log_;
    const PasswdPlace place_;
    const UserNameRules rules_;
    VerificationCache* const cache_;
    Hashing& hashing_;
    const FalseCredentials false_credentials_;
    std::optional<ScramMemory> scram_memory_;
    std::shared_ptr<const PasswdTable> table_;
    std::optional<Instant> looked_at_;  // and table_ was that of the file
    bool loading_ = false;
    std::optional<Trouble> trouble_;
    std::optional<Instant> busy_said_at_;
};

}  // namespace restante
