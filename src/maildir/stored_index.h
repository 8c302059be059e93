#pragma once
/// restante.index as it lies in a maildrop.

#include <memory>
#include <optional>

#include "base/result.h"
#include "maildir/index_file.h"
#include "maildir/maildir_context.h"
#include "ring/task.h"

namespace restante {

/// What an index remembers of a file.
FileIdentity identity_of(const FileStatus& status);
/// Of `name` in `directory` (a descriptor), which may be missing. Errors: refused, broken (EIO).
Task<Result<FileIdentity>> identify(Ring& ring, int directory, const char* name);

/// Of one maildrop, locked and open as `directory`. Trouble with it is logged, and costs time, no
/// more.
class StoredIndex {
public:
    /// What is given outlives it.
    StoredIndex(const MaildirContext& context, const MaildropPlace& place, int directory)
        : context_(context), place_(place), directory_(directory) {}

    /// So that file() says which it is, and read() what it holds.
    Task<void> open();
    /// Nothing: not open()ed, or it cannot be said.
    const std::optional<FileIdentity>& file() const { return file_; }
    /// What it holds is not asked for; file() stays.
    void close() { opened_.reset(); }
    /// nullptr: it is not there, or cannot be used. `share` is made as large as it takes;
    /// exhausted, where there is no room for that. close()s.
    Task<Result<std::shared_ptr<const MaildropIndex>>> read(IndexMemory::Share& share);
    /// By `index`; file() is then what is there, whether it could be written or not.
    Task<void> replace(const MaildropIndex& index);

private:
    Task<void> look();
    Task<Result<Handle>> take(IndexMemory::Share& share);
    void complain(const Error& error) const;

    const MaildirContext& context_;
    const MaildropPlace& place_;
    const int directory_;
    Handle opened_;
    std::optional<Error> unreadable_;
    std::optional<FileIdentity> file_;
};

}  // namespace restante
