#include "auth/login_verifier.h"

#include <optional>
#include <utility>

namespace restante {

const char* refusal_of(const AccountPolicies& policies, const LoginOrigin& origin) {
    if (!policies.may_log_in) return "nologin is set for this user";
    if (!policies.may_use_pop3) return "disablepop3 is set for this user";
    if (policies.allowed_networks && !policies.allowed_networks->contains(origin.peer)) {
        return "this user's allow_nets does not have this address";
    }
    return nullptr;
}

Task<Result<Verdict>> LoginVerifier::verify(Proof proof, LoginOrigin origin) {
    Result<Verdict> verdict = Rejected{};
    if (auto* password = std::get_if<PasswordProof>(&proof)) {
        const Identity identity = split_identity_of(password->user, password->acts_as);
        *password = {identity.user, password->password, {}};
        verdict = co_await verify_identity(proof, identity, origin);
    } else if (auto* external = std::get_if<ExternalProof>(&proof)) {
        // Not split: whoever gets a certificate for "user*master" is not that master.
        const Identity identity = identity_of(external->user, external->acts_as);
        // The certificate names a user; a master may be called as a user is.
        if (!identity.acts_as.empty()) co_return Rejected{"a certificate makes nobody a master"};
        external->acts_as = {};
        verdict = co_await verify_identity(proof, identity, origin);
    } else if (const auto* token = std::get_if<TokenProof>(&proof)) {
        verdict = co_await verify_token(*token, origin);
    } else {
        const Identity identity{std::get<ApopProof>(proof).user, {}};
        verdict = co_await verify_identity(proof, identity, origin);
    }
    co_return verdict;
}

Task<Result<Credentials>> LoginVerifier::credentials(CredentialQuery query, LoginOrigin origin) {
    const Identity identity = split_identity_of(query.user, query.acts_as);
    const bool is_master = !identity.acts_as.empty();
    Verifier& asked = is_master && sources_.masters != nullptr ? *sources_.masters : sources_.users;
    const CredentialQuery of_user{query.kind, identity.user, {}, query.derives};
    Result<Credentials> found = co_await asked.credentials(of_user, origin);
    if (!found || !found->account) co_return found;
    std::optional<Account> account = std::exchange(found->account, std::nullopt);
    if (is_master && sources_.masters == nullptr) co_return found;
    found->refusal = refusal_of(account->policies, origin);
    if (found->refusal != nullptr) co_return found;
    if (is_master) {
        Result<Verdict> verdict = co_await act_as(identity.acts_as, *std::move(account), origin);
        if (!verdict) co_return std::unexpected(verdict.error());
        account.reset();
        if (auto* acted_as = std::get_if<Account>(&*verdict)) account = std::move(*acted_as);
        if (!account) found->refusal = std::get<Rejected>(*verdict).reason;
    }
    found->account = std::move(account);
    co_return found;
}

LoginVerifier::Identity LoginVerifier::identity_of(std::string_view user,
                                                   std::string_view acts_as) const {
    if (!acts_as.empty() && !is_same_user(user, acts_as)) return {user, acts_as};
    return {user, {}};
}

/// Also of "user*master". A master has himself proven by his own name, not by this one.
LoginVerifier::Identity LoginVerifier::split_identity_of(std::string_view user,
                                                         std::string_view acts_as) const {
    const bool may_split = sources_.master_separator != '\0' && acts_as.empty();
    const std::size_t separator =
        may_split ? user.find(sources_.master_separator) : std::string_view::npos;
    if (separator == std::string_view::npos) return identity_of(user, acts_as);
    // An empty name is nobody's: as acts_as it would mean the master's own maildrop.
    if (separator == 0) return {user, {}};
    return {user.substr(separator + 1), user.substr(0, separator)};
}

bool LoginVerifier::is_same_user(std::string_view left, std::string_view right) const {
    const std::optional<std::string> name = canonical_user_name(left, sources_.rules);
    return name && name == canonical_user_name(right, sources_.rules);
}

/// `proof` is of `identity.user`.
Task<Result<Verdict>> LoginVerifier::verify_identity(Proof proof, Identity identity,
                                                     LoginOrigin origin) {
    const bool is_master = !identity.acts_as.empty();
    if (is_master && sources_.masters == nullptr) co_return Rejected{};
    Verifier& asked = is_master ? *sources_.masters : sources_.users;
    Result<Verdict> verdict = co_await asked.verify(proof, origin);
    if (!verdict || std::holds_alternative<Rejected>(*verdict)) co_return verdict;
    Account account = std::get<Account>(*std::move(verdict));
    if (const char* reason = refusal_of(account.policies, origin)) co_return Rejected{reason};
    if (!is_master) co_return account;
    Result<Verdict> acted_as = co_await act_as(identity.acts_as, std::move(account), origin);
    co_return acted_as;
}

/// The name that the client gives is optional, and must be the token's.
Task<Result<Verdict>> LoginVerifier::verify_token(TokenProof proof, LoginOrigin origin) {
    if (sources_.tokens == nullptr) co_return Rejected{};
    const TokenQuery query{proof.token, proof.user, origin};
    const Result<TokenUser> user = co_await sources_.tokens->user_of(query);
    if (!user) co_return std::unexpected(user.error());
    if (!*user) co_return Rejected{user->error()};
    if (!proof.user.empty() && !is_same_user(proof.user, **user)) {
        co_return Rejected{"the token is somebody else's"};
    }
    const Proof proven = ExternalProof{**user, {}};
    Result<Verdict> verdict = co_await verify_identity(proven, Identity{**user, {}}, origin);
    const bool is_unknown = verdict && std::holds_alternative<Rejected>(*verdict) &&
                            std::get<Rejected>(*verdict).reason == nullptr;
    if (is_unknown) co_return Rejected{"the token's user is not in the user database"};
    co_return verdict;
}

/// The user's networks do not bind a master, whose own do; what bars the account bars it to him.
Task<Result<Verdict>> LoginVerifier::act_as(std::string_view user, Account master,
                                            LoginOrigin origin) {
    Result<Verdict> verdict = co_await sources_.users.verify(ExternalProof{user, {}}, origin);
    if (!verdict) co_return verdict;
    if (std::holds_alternative<Rejected>(*verdict)) {
        co_return Rejected{"there is no such user for a master to act as"};
    }
    Account account = std::get<Account>(*std::move(verdict));
    account.policies.allowed_networks.reset();
    if (const char* reason = refusal_of(account.policies, origin)) co_return Rejected{reason};
    account.master = std::move(master.name);
    co_return account;
}

}  // namespace restante
