#pragma once
/// Maildirs as a Store.

#include "maildir/mail_root.h"
#include "maildir/maildir_context.h"
#include "maildir/store.h"

namespace restante {

/// One a reactor.
class MaildirStore final : public Store {
public:
    /// What is given outlives it and its maildrops.
    MaildirStore(Ring& ring, Log& log, BufferPool& buffers, const StoreOptions& options)
        : cache_(options.index_cache_octets), context_{ring, log, buffers, cache_, options} {}

    Task<OpenedMaildrop> open(MaildropOwner owner) override;

private:
    Task<bool> open_root(const MaildropPlace& place);
    const char* below_root(const std::string& path) const;
    Task<OpenedMaildrop> open_missing(const MailRoot::Lease& root, MaildropPlace place);
    Task<OpenedMaildrop> open_locked(MaildropPlace place, MailRoot::Lease root, Handle directory,
                                     Handle lock_file);
    OpenRefusal refuse(const MaildropPlace& place, const Error& error);

    IndexCache cache_;
    const MaildirContext context_;
    MailRoot root_;
};

}  // namespace restante
