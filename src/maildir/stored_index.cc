#include "maildir/stored_index.h"

#include <fmt/format.h>

#include <cerrno>
#include <utility>

#include "maildir/aside.h"
#include "maildir/measure.h"

namespace restante {
namespace {

constexpr std::uint64_t index_octets_max = std::uint64_t{1} << 30;
/// About what a message takes in restante.index.
constexpr std::size_t encoded_message_octets = 100;

}  // namespace

FileIdentity identity_of(const FileStatus& status) {
    return {.exists = true,
            .device = status.device,
            .inode = status.inode,
            .octets = status.octets,
            .modified_nanoseconds = status.modified.nanoseconds,
            .changed_nanoseconds = status.changed.nanoseconds};
}

Task<Result<FileIdentity>> identify(Ring& ring, int directory, const char* name) {
    FileStatus status;
    const std::int64_t known = co_await perform(ring, Request::status_at(directory, name, status));
    if (known == -ENOENT) co_return FileIdentity();
    if (known < 0) co_return std::unexpected(error_of_errno(static_cast<int>(-known), name));
    co_return identity_of(status);
}

Task<void> StoredIndex::open() {
    FileStatus status;
    const std::int64_t opened =
        co_await perform(context_.ring, Request::open_file(directory_, index_name, status));
    if (opened >= 0) {
        opened_ = Handle(context_.ring, static_cast<int>(opened));
        file_ = identity_of(status);
        if (status.octets > index_octets_max)
            unreadable_ = Error{ErrorKind::exhausted, 0, "file too large"};
    } else if (opened == -ENOENT) {
        file_ = FileIdentity();
    } else {
        unreadable_ = error_of_errno(static_cast<int>(-opened), index_name);
        co_await look();
    }
}

Task<void> StoredIndex::look() {
    const Result<FileIdentity> found = co_await identify(context_.ring, directory_, index_name);
    file_ = found ? std::optional(*found) : std::nullopt;
}

/// Open, with room for what it holds; while others are waited for no descriptor is held.
Task<Result<Handle>> StoredIndex::take(IndexMemory::Share& share) {
    while (opened_.is_open() && !unreadable_ && !share.resize(file_->octets)) {
        close();
        const Result<void> room = co_await await_share(context_.ring, share, file_->octets);
        if (!room) co_return std::unexpected(room.error());
        co_await open();
    }
    co_return std::move(opened_);
}

Task<Result<std::shared_ptr<const MaildropIndex>>> StoredIndex::read(IndexMemory::Share& share) {
    const Result<Handle> taken = co_await take(share);
    if (!taken) co_return std::unexpected(taken.error());
    if (unreadable_) complain(*unreadable_);
    if (!taken->is_open() || unreadable_) co_return nullptr;
    Result<std::vector<char>> encoded =
        co_await read_open_file(context_.ring, taken->get(), file_->octets, index_name);
    if (!encoded) {
        complain(encoded.error());
        co_return nullptr;
    }
    std::shared_ptr<const MaildropIndex> index;
    const auto decode = [&index, &encoded] { index = MaildropIndex::decode(std::move(*encoded)); };
    co_await run_aside(context_.ring, encoded->size() / encoded_message_octets, decode);
    if (index == nullptr)
        place_.write(context_.log, LogLevel::warn,
                     "restante.index is damaged or of another version: made again");
    co_return index;
}

Task<void> StoredIndex::replace(const MaildropIndex& index) {
    const bool durable = context_.options.durable && index.is_irreplaceable();
    const std::int64_t written = co_await perform(
        context_.ring, Request::replace_file(directory_, index_name, index.encoded(), durable));
    if (written < 0) {
        const Error error =
            error_of_errno(static_cast<int>(-written), "restante.index cannot be written");
        place_.write(context_.log, LogLevel::warn,
                     fmt::format("{}; the next login lists the folders again", describe(error)));
    }
    co_await look();
}

void StoredIndex::complain(const Error& error) const {
    place_.write(context_.log, LogLevel::warn,
                 fmt::format("restante.index cannot be read: {}", describe(error)));
}

}  // namespace restante
