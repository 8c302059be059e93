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
    Result<Credentials> found =
        co_await scram_of(*std::move(candidate), ScramQuery{user, algorithm, origin});
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
    std::optional<Secret> secret;
    if (!keys) secret = plain_secret_of(candidate.stored.text());
    if (keys || secret) {
        found.account = std::move(candidate.account);
    } else if (const std::optional<PasswdRecord> likeness = table_->representative()) {
        keys = scram_keys_of(likeness->password, query.algorithm);
    }
    if (keys) {
        const ScramSalt salt{false_credentials_.salt(query.user, keys->salt.size()),
                             keys->iterations};
        found.scram = found.account
                          ? std::move(*keys)
                          : false_credentials_.scram_keys(query.user, salt, query.algorithm);
        co_return found;
    }
    if (!found.account || !secret) secret = false_credentials_.secret(query.user);
    const ScramSalt salt{.octets = false_credentials_.salt(query.user)};
    DerivationWork work(secret->text(), salt, query.algorithm);
    const HashApplicant applicant{.user = query.user,
                                  .origin = query.origin,
                                  .is_known = false,
                                  .exists = found.account.has_value()};
    const std::int64_t ran = co_await hashing_.run(work, applicant);
    if (ran < 0) co_return std::unexpected(report_busy());
    found.took_token = true;
    if (!work.result && work.result.error() == PasswordFault::unavailable) {
        co_return std::unexpected(outcome_of(std::unexpected(work.result.error())).error());
    }
    if (!work.result) found.account.reset();  // no password for SCRAM (SASLprep)
    found.scram = work.result ? std::move(*work.result)
                              : false_credentials_.scram_keys(query.user, salt, query.algorithm);
    co_return found;
}

}  // namespace restante
