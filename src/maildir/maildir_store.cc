#include "maildir/maildir_store.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>

#include "maildir/index_refresh.h"
#include "maildir/maildir_maildrop.h"

namespace restante {

Task<OpenedMaildrop> MaildirStore::open(MaildropOwner owner) {
    MaildropPlace place{{}, owner.user, owner.session};
    std::expected<std::string, std::string> path = context_.options.path.expand(owner);
    if (!path) {
        place.write(context_.log, LogLevel::error, path.error());
        co_return std::unexpected(OpenRefusal::permanent);
    }
    place.path = std::move(*path);
    if (!root_.is_known(context_.ring.now())) {
        const bool is_there = co_await open_root(place);
        if (!is_there) co_return std::unexpected(OpenRefusal::temporary);
    }
    MailRoot::Lease root = root_.lease();
    const char* const name = below_root(place.path);
    const Request asked =
        name == nullptr ? Request::open(AT_FDCWD, place.path.c_str(), Request::Open::directory)
                        : Request::open(root.get(), name, Request::Open::directory);
    const std::int64_t opened = co_await perform(context_.ring, asked);
    if (opened == -ENOENT) {
        OpenedMaildrop missing = co_await open_missing(root, place);
        co_return missing;
    }
    if (opened < 0) {
        co_return std::unexpected(
            refuse(place, error_of_errno(static_cast<int>(-opened), "open maildrop")));
    }
    Handle directory(context_.ring, static_cast<int>(opened));
    const std::int64_t locked = co_await perform(context_.ring, Request::lock(directory.get()));
    if (locked == -EWOULDBLOCK) co_return std::unexpected(OpenRefusal::in_use);
    if (locked < 0) {
        co_return std::unexpected(
            refuse(place, error_of_errno(static_cast<int>(-locked), "lock maildrop")));
    }
    Handle lock_file;
    if (locked > 0) lock_file = Handle(context_.ring, static_cast<int>(locked));
    OpenedMaildrop maildrop =
        co_await open_locked(place, std::move(root), std::move(directory), std::move(lock_file));
    co_return maildrop;
}

/// A mail root that is missing, or another folder than before, is not mounted: an empty maildrop
/// would make clients believe that their mail is gone.
Task<bool> MaildirStore::open_root(const MaildropPlace& place) {
    const std::string& root = context_.options.path.root();
    FileStatus status;
    const std::int64_t opened =
        co_await perform(context_.ring, Request::open_place(AT_FDCWD, root.c_str(), status));
    if (opened < 0) {
        const Error error = error_of_errno(static_cast<int>(-opened), "is it mounted?");
        place.write(context_.log, LogLevel::error,
                    fmt::format("mail root {}: {}", root, describe(error)));
        co_return false;
    }
    const Instant now = context_.ring.now();
    if (!root_.accept(Handle(context_.ring, static_cast<int>(opened)), status, now)) {
        place.write(context_.log, LogLevel::error,
                    fmt::format("mail root {} is another folder than at first: was it mounted or "
                                "unmounted? Restart when it is the right one",
                                root));
        co_return false;
    }
    co_return true;
}

/// The rest of `path`, as a name in the mail root: what lies on the root's own mount can be opened
/// inline. nullptr: the operator's own word puts the maildrop elsewhere.
const char* MaildirStore::below_root(const std::string& path) const {
    const std::string& root = context_.options.path.root();
    if (!path.starts_with(root)) return nullptr;
    const bool is_below = root.ends_with('/') || path[root.size()] == '/';
    const std::size_t begin = path.find_first_not_of('/', root.size());
    return is_below && begin != std::string::npos ? path.c_str() + begin : nullptr;
}

/// A user who never got mail has no folder yet; a missing folder above it is trouble.
Task<OpenedMaildrop> MaildirStore::open_missing(const MailRoot::Lease& root, MaildropPlace place) {
    const std::size_t slash = place.path.find_last_not_of('/', place.path.size());
    const std::size_t end = place.path.rfind('/', slash);
    const std::string parent = end == 0 ? "/" : place.path.substr(0, end);
    const char* const name = below_root(parent);
    FileStatus status;
    const Request asked = name == nullptr ? Request::status_at(AT_FDCWD, parent.c_str(), status)
                                          : Request::status_at(root.get(), name, status);
    const std::int64_t known = co_await perform(context_.ring, asked);
    if (known < 0) {
        const Error error = error_of_errno(static_cast<int>(-known), "folder above the maildrop");
        place.write(context_.log, LogLevel::error, describe(error));
        co_return std::unexpected(OpenRefusal::temporary);
    }
    co_return std::make_unique<MaildirMaildrop>(
        context_, std::move(place), MailRoot::Lease(), Handle(), Handle(),
        IndexBuilder().build(IndexTrust()), IndexMemory::Share(*context_.options.index_memory));
}

Task<OpenedMaildrop> MaildirStore::open_locked(MaildropPlace place, MailRoot::Lease root,
                                               Handle directory, Handle lock_file) {
    IndexRefresh refresh(context_, place, directory.get());
    Result<std::shared_ptr<const MaildropIndex>> index = co_await refresh.run();
    if (!index) co_return std::unexpected(refuse(place, index.error()));
    co_return std::make_unique<MaildirMaildrop>(context_, std::move(place), std::move(root),
                                                std::move(directory), std::move(lock_file),
                                                std::move(*index), refresh.take_share());
}

OpenRefusal MaildirStore::refuse(const MaildropPlace& place, const Error& error) {
    place.write(context_.log, LogLevel::error, describe(error));
    const bool needs_human = error.kind == ErrorKind::refused || error.kind == ErrorKind::broken;
    return needs_human ? OpenRefusal::permanent : OpenRefusal::temporary;
}

}  // namespace restante
