#include "maildir/scan.h"

#include <algorithm>
#include <cerrno>
#include <tuple>

#include "maildir/maildir_name.h"

namespace restante {
namespace {

/// An open folder, or none.
struct OpenFolder {
    Folder folder;
    Handle handle;
    FolderState* state;
};

Task<Result<OpenFolder>> open_folder(Ring& ring, int maildrop, Folder folder, FolderState& state) {
    OpenFolder opened{folder, Handle(), &state};
    const std::int64_t got = co_await perform(
        ring, Request::open(maildrop, folder_name(folder), Request::Open::directory));
    if (got == -ENOENT) co_return opened;
    if (got < 0) co_return std::unexpected(error_of_errno(static_cast<int>(-got), "open folder"));
    state.exists = true;
    opened.handle = Handle(ring, static_cast<int>(got));
    co_return opened;
}

void add_messages(Scan& scan, const DirectoryListing& listing, Folder folder) {
    for (const DirectoryListing::Entry& entry : listing.entries()) {
        const std::string_view name = listing.name(entry);
        if (entry.kind != FileKind::regular || !is_message_name(name)) continue;
        scan.files.push_back({name, entry.inode, folder});
    }
}

/// 0 or -errno; afterwards `state` says whether the listing can be relied on.
Task<Result<void>> list_folder(Ring& ring, const OpenFolder& open, Scan& scan) {
    if (!open.handle.is_open()) co_return Result<void>();
    FileStatus before;
    FolderState& state = *open.state;
    std::int64_t result = co_await perform(ring, Request::status(open.handle.get(), before));
    DirectoryListing& listing = scan.listings.emplace_back();
    if (result == 0) {
        result = co_await perform(ring, Request::list_directory(open.handle.get(), listing));
    }
    if (result == 0)
        result = co_await perform(ring, Request::status(open.handle.get(), state.status));
    if (result < 0)
        co_return std::unexpected(error_of_errno(static_cast<int>(-result), "list folder"));
    // The change time, which nobody can set: a restored folder may carry a modification time to
    // come.
    const std::int64_t age = ring.wall_time().nanoseconds - state.status.changed.nanoseconds;
    state.is_settled = before == state.status && age > timestamp_granularity.count();
    add_messages(scan, listing, open.folder);
    co_return Result<void>();
}

/// One of each base name and inode: the one that was listed last, which is the likeliest to be
/// there still.
void drop_repeats(std::vector<ScannedFile>& files) {
    std::ranges::reverse(files);
    const auto key = [](const ScannedFile& file) {
        return std::tuple(base_name(file.name), file.inode);
    };
    std::ranges::stable_sort(files, {}, key);
    const auto repeats = std::ranges::unique(files, {}, key);
    files.erase(repeats.begin(), repeats.end());
}

}  // namespace

const char* folder_name(Folder folder) { return folder == Folder::fresh ? "new" : "cur"; }

std::string path_in_maildrop(Folder folder, std::string_view file_name) {
    return std::string(folder_name(folder)) + '/' + std::string(file_name);
}

Task<Result<Scan>> scan_maildir(Ring& ring, int maildrop) {
    Scan scan;
    const Result<OpenFolder> fresh =
        co_await open_folder(ring, maildrop, Folder::fresh, scan.fresh);
    if (!fresh) co_return std::unexpected(fresh.error());
    const Result<OpenFolder> current =
        co_await open_folder(ring, maildrop, Folder::current, scan.current);
    if (!current) co_return std::unexpected(current.error());
    for (int i = 0; i < scans_max; ++i) {
        Result<void> listed = co_await list_folder(ring, *fresh, scan);
        if (listed) listed = co_await list_folder(ring, *current, scan);
        if (!listed) co_return std::unexpected(listed.error());
        const bool fresh_settled = scan.fresh.is_settled || !scan.fresh.exists;
        const bool current_settled = scan.current.is_settled || !scan.current.exists;
        if (fresh_settled && current_settled) break;
    }
    drop_repeats(scan.files);
    co_return scan;
}

}  // namespace restante
