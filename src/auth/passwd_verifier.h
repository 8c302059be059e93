#pragma once
/// Verifies users against a passwd-file, which is read again when it changes.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "auth/passwd_file.h"
#include "auth/user_name.h"
#include "auth/verifier.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/wipe.h"
#include "ring/ring.h"

namespace restante {

/// A passwd-file and the folder it is in. Request::open() stays beneath a folder, so a file has
/// none with an absolute path alone; the folder is opened once, before the reactor runs. A folder
/// that is replaced as a whole is therefore seen at the next start only; a file that is replaced in
/// it, at the next login.
struct PasswdPlace {
    std::string path;  ///< for log lines
    std::string name;  ///< the last component
    Fd folder;

    /// Plain system calls: for start-up. The error is a sentence for an operator.
    static std::expected<PasswdPlace, std::string> open(const std::string& path);
};

/// One a reactor, used on its thread only. Each has its own table once the file has changed; the
/// table that start-up loaded is shared by all.
class PasswdFileVerifier final : public Verifier {
public:
    /// `initial` may be null: the first login then reads the file.
    PasswdFileVerifier(Ring& ring, Log& log, PasswdPlace place, UserNameRules rules,
                       std::shared_ptr<const PasswdTable> initial)
        : ring_(ring), log_(log), place_(std::move(place)), rules_(std::move(rules)),
          table_(std::move(initial)) {}

    Task<Result<Verdict>> verify(Proof proof) override;

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

    Task<Result<void>> refresh();
    Task<Result<void>> load();
    Task<Result<void>> read_text(int file, std::span<char> target);
    Task<void> replace_table(std::shared_ptr<const PasswdTable> fresh);
    Result<void> not_loaded(const FileStatus& status, const Error& error);

    Result<Candidate> find_candidate(std::string_view given) const;
    Task<Result<bool>> check_password(std::string_view password, std::string_view stored);
    Result<bool> check_apop(const ApopProof& proof, std::string_view stored) const;
    Error report_busy();

    Ring& ring_;
    Log& log_;
    const PasswdPlace place_;
    const UserNameRules rules_;
    std::shared_ptr<const PasswdTable> table_;
    bool loading_ = false;
    std::optional<Trouble> trouble_;
    std::optional<Instant> busy_said_at_;
};

}  // namespace restante
