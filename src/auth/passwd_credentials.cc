// What challenge mechanisms need of a passwd-file: secrets, SCRAM keys, and false ones that cannot
// be told from them.
#include <cerrno>

#include "auth/passwd_verifier.h"
#include "auth/password_scheme.h"
#include "base/assert.h"

namespace restante {
namespace {

/// On a helper thread. The views outlive it.
class DerivationWork final : public Work {
public:
    DerivationWork(std::string_view secret, const ScramSalt& salt, DigestAlgorithm algorithm)
        : secret_(secret), salt_(salt), algorithm_(algorithm) {}
    void run() override { result = derive_scram_keys(secret_, salt_, algorithm_); }

    std::expected<ScramKeys, PasswordFault> result = std::unexpected(PasswordFault::unavailable);

private:
    std::string_view secret_;
    const ScramSalt& salt_;
    DigestAlgorithm algorithm_;
};

std::optional<Secret> plain_secret_of(std::string_view stored) {
    const std::expected<StoredPassword, PasswordFault> parsed = StoredPassword::parse(stored);
    return parsed ? parsed->plain_secret() : std::nullopt;
}

std::optional<ScramKeys> scram_keys_of(std::string_view stored, DigestAlgorithm algorithm) {
    const std::expected<StoredPassword, PasswordFault> parsed = StoredPassword::parse(stored);
    return parsed ? parsed->scram_keys(algorithm) : std::nullopt;
}

}  // namespace

Task<Result<Credentials>> PasswdFileVerifier::credentials(CredentialQuery query,
                                                          LoginOrigin origin) {
    if (!was_just_looked_at()) {
        const Result<void> fresh = co_await refresh();
        if (!fresh) co_return std::unexpected(fresh.error());
    }
    Result<Candidate> candidate = find_candidate(query.user);
    if (!candidate) co_return std::unexpected(candidate.error());
    const std::string user =
        canonical_user_name(query.user, rules_).value_or(std::string(query.user));
    if (query.kind == CredentialKind::secret) co_return secret_of(*std::move(candidate), user);
    const DigestAlgorithm algorithm =
        query.kind == CredentialKind::scram_sha_1 ? DigestAlgorithm::sha1 : DigestAlgorithm::sha256;
    Result<Credentials> found = co_await scram_of(
        *std::move(candidate), ScramQuery{user, algorithm, query.derives, origin});
    co_return found;
}

Credentials PasswdFileVerifier::secret_of(Candidate candidate, std::string_view user) const {
    std::optional<Secret> secret;
    if (candidate.account) secret = plain_secret_of(candidate.stored.text());
    Credentials found;
    found.secret = secret ? std::move(*secret) : false_credentials_.secret(user);
    if (secret) found.account = std::move(candidate.account);
    return found;
}

/// Keys are stored, or derived from a secret. Where there are neither, what most users have decides
/// which of the two it is to look like.
Task<Result<Credentials>> PasswdFileVerifier::scram_of(Candidate candidate, ScramQuery query) {
    Credentials found;
    std::optional<ScramKeys> keys = scram_keys_of(candidate.stored.text(), query.algorithm);
    if (!keys && !plain_secret_of(candidate.stored.text())) {
        candidate.account.reset();
        const std::optional<PasswdRecord> likeness = table_->representative();
        if (likeness) keys = scram_keys_of(likeness->password, query.algorithm);
    }
    if (keys) {
        const ScramSalt salt{false_credentials_.salt(query.user, keys->salt.size()),
                             keys->iterations};
        found.account = std::move(candidate.account);
        found.scram = found.account
                          ? std::move(*keys)
                          : false_credentials_.scram_keys(query.user, salt, query.algorithm);
        co_return found;
    }
    if (!query.derives) co_return underived(std::move(candidate), query);
    Result<Credentials> made = co_await derived(std::move(candidate), query);
    co_return made;
}

ScramMemory::Origin PasswdFileVerifier::memory_origin(const Candidate& candidate,
                                                      const ScramQuery& query) const {
    return {query.user, candidate.stored.text(), query.algorithm};
}

/// The memory is asked for everybody, and false keys are made for everybody.
Credentials PasswdFileVerifier::underived(Candidate candidate, const ScramQuery& query) {
    const ScramSalt salt{.octets = false_credentials_.salt(query.user)};
    Credentials found;
    found.are_to_be_derived = true;
    found.scram = false_credentials_.scram_keys(query.user, salt, query.algorithm);
    std::optional<ScramKeys> known;
    if (scram_memory_) known = scram_memory_->find(memory_origin(candidate, query), salt);
    if (known && candidate.account) found.scram = std::move(*known);
    found.account = std::move(candidate.account);
    return found;
}

Task<Result<Credentials>> PasswdFileVerifier::derived(Candidate candidate, ScramQuery query) {
    std::optional<Secret> secret;
    if (candidate.account) secret = plain_secret_of(candidate.stored.text());
    if (!secret) secret = false_credentials_.secret(query.user);
    const ScramSalt salt{.octets = false_credentials_.salt(query.user)};
    DerivationWork work(secret->text(), salt, query.algorithm);
    const HashApplicant applicant{.user = query.user,
                                  .origin = query.origin,
                                  .is_known = false,
                                  .exists = candidate.account.has_value()};
    const std::int64_t ran = co_await hashing_.run(work, applicant);
    if (ran < 0) co_return std::unexpected(report_busy());
    if (!work.result && work.result.error() == PasswordFault::unavailable) {
        co_return std::unexpected(outcome_of(std::unexpected(work.result.error())).error());
    }
    if (!work.result) candidate.account.reset();  // no password for SCRAM (SASLprep)
    const bool is_kept = scram_memory_ && candidate.account;
    if (is_kept) scram_memory_->keep(memory_origin(candidate, query), *work.result);
    Credentials found;
    found.took_token = true;
    found.scram = work.result ? std::move(*work.result)
                              : false_credentials_.scram_keys(query.user, salt, query.algorithm);
    found.account = std::move(candidate.account);
    co_return found;
}

}  // namespace restante
