#include "maildir/mail_root.h"

#include <utility>

namespace restante {

// One that is open already is the same folder: descriptors are spared, whoever came first.
bool MailRoot::accept(Handle opened, const FileStatus& status, Instant now) {
    if (!first_) first_ = Identity{status.device, status.inode};
    if (first_->device != status.device || first_->inode != status.inode) return false;
    if (!open_.is_open()) open_ = std::move(opened);
    seen_ = now;
    return true;
}

}  // namespace restante
