#include "auth/passwd_verifier.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "auth/digest.h"
#include "auth/password_scheme.h"
#include "base/path_parts.h"

namespace restante {
namespace {

/// Read at a time; between two pieces the reactor serves its other sessions.
constexpr std::size_t piece_octets = std::size_t{1} << 20;
constexpr Duration pause_between_pieces = std::chrono::milliseconds(1);
/// A full queue is logged once in this time.
constexpr Duration busy_log_interval = std::chrono::seconds(10);

/// On a helper thread: parses, and wipes and frees what the table before it held.
class TableWork final : public Work {
public:
    TableWork(PasswdText text, const PasswdOrigin& origin)
        : text_(std::move(text)), origin_(origin) {}
    void run() override { table = std::make_shared<const PasswdTable>(std::move(text_), origin_); }

    std::shared_ptr<const PasswdTable> table;

private:
    PasswdText text_;
    PasswdOrigin origin_;
};

class RetireWork final : public Work {
public:
    explicit RetireWork(std::shared_ptr<const PasswdTable> old) : old_(std::move(old)) {}
    void run() override { old_.reset(); }

private:
    std::shared_ptr<const PasswdTable> old_;
};

std::string_view user_of(const Proof& proof) {
    return std::visit([](const auto& any) { return any.user; }, proof);
}

AccountPolicies policies_of(const PasswdRecord& record) {
    AccountPolicies policies;
    policies.may_log_in = record.may_log_in;
    policies.may_use_pop3 = record.may_use_pop3;
    if (record.is_bound_to_nets) {
        // parse_passwd_line() has found them to be a list; of anything else nobody is in it.
        policies.allowed_networks = NetworkList::parse(record.allow_nets).value_or(NetworkList());
    }
    return policies;
}

Error error_of_fault(PasswordFault fault) {
    const bool passes = fault == PasswordFault::unavailable;
    return Error{passes ? ErrorKind::exhausted : ErrorKind::broken, 0, describe(fault)};
}

}  // namespace

std::expected<PasswdPlace, std::string> PasswdPlace::open(const std::string& path) {
    const auto [folder, name] = split_path(path);
    if (name.empty()) return std::unexpected("passwd-file " + path + ": names a folder");
    const int opened = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (opened < 0) {
        return std::unexpected("passwd-file " + path + ": cannot open " + folder + ": " +
                               strerrordesc_np(errno));
    }
    return PasswdPlace{path, name, Fd(opened)};
}

Task<Result<Verdict>> PasswdFileVerifier::verify(Proof proof, LoginOrigin origin) {
    if (!was_just_looked_at()) {
        const Result<void> fresh = co_await refresh();
        if (!fresh) co_return std::unexpected(fresh.error());
    }
    Result<Candidate> candidate = find_candidate(user_of(proof));
    if (!candidate) co_return std::unexpected(candidate.error());

    Result<bool> matches = false;
    if (const auto* password = std::get_if<PasswordProof>(&proof)) {
        const std::string_view user =
            candidate->account ? candidate->account->name : password->user;
        const Check check{.login = {user, password->password, candidate->stored.text()},
                          .may_match = candidate->account.has_value(),
                          .origin = origin};
        matches = co_await check_password(check);
    } else if (const auto* apop = std::get_if<ApopProof>(&proof)) {
        matches = check_apop(*apop, candidate->stored.text());
    } else {
        matches = std::holds_alternative<ExternalProof>(proof);
    }
    if (!matches) co_return std::unexpected(matches.error());
    if (!*matches || !candidate->account) co_return Rejected{};
    co_return std::move(*candidate->account);
}

bool PasswdFileVerifier::was_just_looked_at() const {
    return looked_at_ && ring_.now() - *looked_at_ < passwd_look_interval;
}

/// Makes table_ that of the file as it is now, or keeps the old one. One login reads the file; the
/// others go on with the old table meanwhile.
Task<Result<void>> PasswdFileVerifier::refresh() {
    FileStatus status;
    const std::int64_t failed = co_await perform(
        ring_, Request::status_at(place_.folder.get(), place_.name.c_str(), status));
    if (failed < 0) {
        co_return not_loaded(FileStatus{},
                             error_of_errno(static_cast<int>(-failed), "find passwd-file"));
    }
    const bool is_current = table_ != nullptr && table_->status() == status && table_->is_settled();
    if (is_current) {
        trouble_.reset();
        looked_at_ = ring_.now();
    }
    if (is_current || (loading_ && table_ != nullptr)) co_return Result<void>();
    if (loading_) co_return std::unexpected(Error{ErrorKind::exhausted, 0, "wait for passwd-file"});

    loading_ = true;
    const Result<void> loaded = co_await load();
    loading_ = false;
    if (!loaded) co_return not_loaded(status, loaded.error());
    co_return Result<void>();
}

Task<Result<void>> PasswdFileVerifier::load() {
    PasswdOrigin origin;
    origin.read_at = ring_.wall_time();
    const std::int64_t opened = co_await perform(
        ring_, Request::open_file(place_.folder.get(), place_.name.c_str(), origin.status));
    if (opened < 0) {
        co_return std::unexpected(error_of_errno(static_cast<int>(-opened), "open passwd-file"));
    }
    const Handle file(ring_, static_cast<int>(opened));
    if (origin.status.octets > passwd_file_octets_max) {
        co_return std::unexpected(error_of_errno(EFBIG, "read passwd-file (1 GiB at most)"));
    }

    PasswdText text(origin.status.octets);
    const Result<void> got = co_await read_text(file.get(), text.space());
    if (!got) co_return std::unexpected(got.error());
    FileStatus after;
    const std::int64_t seen_again = co_await perform(ring_, Request::status(file.get(), after));
    if (seen_again < 0 || after != origin.status) {
        co_return std::unexpected(
            Error{ErrorKind::exhausted, EAGAIN, "read passwd-file while it changes"});
    }

    ring_.fill_random(origin.index_key);
    TableWork work(std::move(text), origin);
    const std::int64_t ran = co_await perform(ring_, Request::offload(HelperKind::files, work));
    if (ran < 0) {
        co_return std::unexpected(error_of_errno(static_cast<int>(-ran), "parse passwd-file"));
    }
    co_await replace_table(std::move(work.table));
    co_return Result<void>();
}

Task<Result<void>> PasswdFileVerifier::read_text(int file, std::span<char> target) {
    for (std::size_t done = 0; done < target.size();) {
        const std::span<char> piece =
            target.subspan(done, std::min(piece_octets, target.size() - done));
        const std::int64_t got = co_await perform(ring_, Request::read(file, piece, done));
        if (got < 0) {
            co_return std::unexpected(error_of_errno(static_cast<int>(-got), "read passwd-file"));
        }
        if (got == 0) {
            co_return std::unexpected(
                Error{ErrorKind::exhausted, EAGAIN, "read passwd-file while it changes"});
        }
        done += static_cast<std::size_t>(got);
        if (done == target.size()) break;
        // Cached pieces are answered inline: without a pause a large file would hold the reactor.
        const Instant soon = ring_.now() + pause_between_pieces;
        co_await perform(ring_, Request::sleep().until(soon));
    }
    co_return Result<void>();
}

Task<void> PasswdFileVerifier::replace_table(std::shared_ptr<const PasswdTable> fresh) {
    const bool was_changed = table_ == nullptr || table_->status() != fresh->status();
    std::shared_ptr<const PasswdTable> old = std::exchange(table_, std::move(fresh));
    trouble_.reset();
    if (was_changed) {
        report_passwd_table(*table_, place_.path, log_);
        log_.write(LogLevel::info, "passwd-file " + place_.path +
                                       " read: " + std::to_string(table_->user_count()) + " users");
    }
    RetireWork work(std::move(old));
    // Where the queue is full it ends here instead.
    co_await perform(ring_, Request::offload(HelperKind::files, work));
}

/// Says so once for each change of the file or of the cause. With an older table, logins go on.
Result<void> PasswdFileVerifier::not_loaded(const FileStatus& status, const Error& error) {
    const Trouble trouble{status, error.system_errno};
    if (trouble_ != trouble) {
        trouble_ = trouble;
        const char* cure = "";
        if (error.system_errno == ELOOP) cure = " (a symbolic link: name the file itself)";
        if (error.system_errno == EINVAL) cure = " (no regular file)";
        log_.write(LogLevel::error, "passwd-file " + place_.path + ": " + describe(error) + cure +
                                        (table_ != nullptr ? "; users as read before are kept"
                                                           : "; nobody can log in"));
    }
    if (table_ != nullptr) return {};
    return std::unexpected(Error{ErrorKind::exhausted, error.system_errno, error.operation});
}

Result<PasswdFileVerifier::Candidate> PasswdFileVerifier::find_candidate(
    std::string_view given) const {
    Candidate candidate;
    std::optional<std::string> name = canonical_user_name(given, rules_);
    std::optional<PasswdTable::Found> found;
    if (name) found = table_->find(*name, rules_.match);
    const bool has_fault = found && found->entry.fault != nullptr;
    if (!found || (!has_fault && !found->entry.record.may_log_in)) {
        const std::optional<PasswdRecord> representative = table_->representative();
        if (representative) candidate.stored = Secret(representative->password);
        return candidate;
    }
    const PasswdRecord& record = found->entry.record;
    if (has_fault) {
        const std::string line = found->line != 0 ? ":" + std::to_string(found->line) : "";
        log_.write(LogLevel::error, place_.path + line + ": " + found->entry.fault + ": user=<" +
                                        log_escaped(*name) + "> cannot log in");
        return std::unexpected(Error{ErrorKind::broken, 0, "use a passwd-file line"});
    }
    candidate.stored = Secret(record.password);
    candidate.account = Account{*std::move(name),
                                std::string(record.home),
                                record.maildrop_path(),
                                {},
                                policies_of(record)};
    return candidate;
}

/// The cache is asked of everybody, but believed only where there is an account: it takes the place
/// of a hash that matches, and of nothing else.
Task<Result<bool>> PasswdFileVerifier::check_password(Check check) {
    const VerificationCache::Login& login = check.login;
    if (login.stored.empty()) co_return false;  // an empty table: there is no work to be like
    const StoredPassword stored = StoredPassword::recall(login.stored);
    if (stored.is_cheap()) co_return outcome_of(stored.verify(login.password));
    std::optional<VerificationCache::Tag> tag;
    if (cache_ != nullptr) tag = cache_->tag_of(login);
    if (tag && check.may_match && cache_->holds(*tag, ring_.now())) co_return true;

    const HashApplicant applicant{.user = login.user,
                                  .origin = check.origin,
                                  .is_known = tag && check.may_match && cache_->held(*tag),
                                  .exists = check.may_match};
    const Hashing::Verified verified = co_await hashing_.verify(login.password, stored, applicant);
    if (verified.waited < 0) co_return std::unexpected(report_busy());
    const bool has_matched = verified.matches && *verified.matches;
    if (tag && check.may_match && has_matched) cache_->remember(*tag, ring_.now());
    co_return outcome_of(verified.matches);
}

Result<bool> PasswdFileVerifier::outcome_of(const std::expected<bool, PasswordFault>& verified) {
    if (verified) return *verified;
    const Error error = error_of_fault(verified.error());
    log_.write(LogLevel::error, "passwd-file " + place_.path + ": " + describe(error));
    return std::unexpected(error);
}

/// Without a {PLAIN} secret there is nothing to compare with: the same digest is computed, of
/// something else.
Result<bool> PasswdFileVerifier::check_apop(const ApopProof& proof, std::string_view stored) const {
    const std::expected<StoredPassword, PasswordFault> parsed = StoredPassword::parse(stored);
    std::optional<Secret> secret;
    if (parsed) secret = parsed->plain_secret();
    const std::string_view hashed = secret ? std::string_view(secret->text()) : stored;
    const std::optional<Digest> digest = digest_of(DigestAlgorithm::md5, proof.timestamp, hashed);
    if (!digest) {
        const Error error{ErrorKind::broken, 0,
                          "compute MD5 (APOP needs it; FIPS mode refuses it)"};
        log_.write(LogLevel::error, describe(error));
        return std::unexpected(error);
    }
    const bool matches = equal_in_constant_time(proof.digest, hex_encode(digest->view()));
    return matches && secret.has_value();
}

Error PasswdFileVerifier::report_busy() {
    const Instant now = ring_.now();
    if (!busy_said_at_ || now - *busy_said_at_ >= busy_log_interval) {
        busy_said_at_ = now;
        log_.write(LogLevel::warn,
                   "too many logins wait for password hashing: some are refused with [SYS/TEMP]");
    }
    return Error{ErrorKind::exhausted, EAGAIN, "hash password"};
}

}  // namespace restante
