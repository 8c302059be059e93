#include "maildir/scan.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <tuple>
#include <utility>

#include "maildir/aside.h"
#include "maildir/maildir_name.h"

namespace restante {
namespace {

/// An open folder, or none.
struct OpenFolder {
    Folder folder;
    Handle handle;
};

Task<Result<OpenFolder>> open_folder(Ring& ring, int maildrop, Folder folder) {
    OpenFolder opened{folder, Handle()};
    const std::int64_t got = co_await perform(
        ring, Request::open(maildrop, folder_name(folder), Request::Open::directory));
    if (got == -ENOENT) co_return opened;
    if (got < 0) co_return std::unexpected(error_of_errno(static_cast<int>(-got), "open folder"));
    opened.handle = Handle(ring, static_cast<int>(got));
    co_return opened;
}

Task<Result<FolderState>> look_at(Ring& ring, const OpenFolder& open) {
    FolderState state;
    if (!open.handle.is_open()) co_return state;
    state.exists = true;
    const std::int64_t known =
        co_await perform(ring, Request::status(open.handle.get(), state.status));
    if (known < 0)
        co_return std::unexpected(error_of_errno(static_cast<int>(-known), "list folder"));
    co_return state;
}

Task<Result<void>> list_folder(Ring& ring, const OpenFolder& open, Scan& scan) {
    if (!open.handle.is_open()) co_return Result<void>();
    DirectoryListing& listing = scan.listings.emplace_back();
    const std::int64_t listed =
        co_await perform(ring, Request::list_directory(open.handle.get(), listing));
    if (listed < 0)
        co_return std::unexpected(error_of_errno(static_cast<int>(-listed), "list folder"));
    std::size_t longest = 0;
    const auto choose = [&scan, &listing, &open, &longest] {
        scan.files.reserve(scan.files.size() + listing.entries().size());
        for (const DirectoryListing::Entry& entry : listing.entries()) {
            if (entry.kind != FileKind::regular || !is_message_name(entry.name)) continue;
            longest = std::max(longest, entry.name.size());
            scan.files.push_back({entry.name, entry.inode, open.folder});
        }
    };
    co_await run_aside(ring, listing.entries().size(), choose);
    if (longest > file_name_octets_max)
        co_return std::unexpected(error_of_errno(ENAMETOOLONG, "list folder"));
    co_return Result<void>();
}

bool is_same(const FolderState& before, const FolderState& after) {
    return before.exists == after.exists && before.status == after.status;
}

/// The change time, which nobody can set: a restored folder may carry a modification time to come.
bool is_old(const FolderState& state, WallTime now) {
    return now.nanoseconds - state.status.changed.nanoseconds > file_time_granularity.count();
}

/// A change now would show another time.
bool is_distinct(const FolderState& state, WallTime now) {
    const std::int64_t age = now.nanoseconds - state.status.changed.nanoseconds;
    return std::abs(age) > file_time_granularity.count();
}

struct BothOpen {
    OpenFolder fresh;
    OpenFolder current;
};

/// Both folders as they were found.
struct Look {
    WallTime when;  ///< it began
    FolderState fresh;
    FolderState current;
};

Task<Result<Look>> look_at_both(Ring& ring, const BothOpen& open) {
    Look look{ring.wall_time(), {}, {}};
    Result<FolderState> state = co_await look_at(ring, open.fresh);
    if (!state) co_return std::unexpected(state.error());
    look.fresh = *state;
    state = co_await look_at(ring, open.current);
    if (!state) co_return std::unexpected(state.error());
    look.current = *state;
    co_return look;
}

/// A change of either folder would now show another time.
bool is_distinct(const Look& look) {
    return is_distinct(look.fresh, look.when) && is_distinct(look.current, look.when);
}

/// Waits until it is: what is renamed while it is listed may be skipped.
Task<Result<Look>> look_when_settled(Ring& ring, const BothOpen& open) {
    const Result<Look> young = co_await look_at_both(ring, open);
    if (!young || is_distinct(*young)) co_return young;
    const Instant settled = ring.now() + file_time_granularity + std::chrono::milliseconds(1);
    co_await perform(ring, Request::sleep().until(settled));
    const Result<Look> look = co_await look_at_both(ring, open);
    co_return look;
}

/// One listing of both folders.
struct Pass {
    Scan scan;
    bool is_clean;  ///< neither folder changed meanwhile, and a change would have shown
};

Task<Result<Pass>> list_both(Ring& ring, const BothOpen& open, const Look& before) {
    Pass pass{};
    Result<void> listed = co_await list_folder(ring, open.fresh, pass.scan);
    if (listed) listed = co_await list_folder(ring, open.current, pass.scan);
    if (!listed) co_return std::unexpected(listed.error());
    const Result<Look> after = co_await look_at_both(ring, open);
    if (!after) co_return std::unexpected(after.error());
    pass.scan.fresh = after->fresh;
    pass.scan.current = after->current;
    pass.is_clean = is_distinct(before) && is_same(before.fresh, after->fresh) &&
                    is_same(before.current, after->current);
    // As of the beginning: a change while it was listed then shows another time.
    pass.scan.fresh.is_settled = pass.is_clean && is_old(after->fresh, before.when);
    pass.scan.current.is_settled = pass.is_clean && is_old(after->current, before.when);
    co_return pass;
}

/// Base name and inode.
auto key_of(const ScannedFile& file) { return std::tuple(file.base(), file.inode); }

}  // namespace

const char* folder_name(Folder folder) { return folder == Folder::fresh ? "new" : "cur"; }

BriefString path_in_maildrop(Folder folder, std::string_view file_name) {
    const std::string_view in = folder_name(folder);
    BriefString path;
    path.reserve(in.size() + 1 + file_name.size());
    return path.append(in).append(1, '/').append(file_name);
}

Task<Result<Scan>> scan_maildir(Ring& ring, int maildrop) {
    Result<OpenFolder> fresh = co_await open_folder(ring, maildrop, Folder::fresh);
    if (!fresh) co_return std::unexpected(fresh.error());
    Result<OpenFolder> current = co_await open_folder(ring, maildrop, Folder::current);
    if (!current) co_return std::unexpected(current.error());
    const BothOpen open{std::move(*fresh), std::move(*current)};
    Scan scan;
    for (int i = 0; i < scans_max; ++i) {
        const Result<Look> before = co_await look_when_settled(ring, open);
        if (!before) co_return std::unexpected(before.error());
        Result<Pass> pass = co_await list_both(ring, open, *before);
        if (!pass) co_return std::unexpected(pass.error());
        if (pass->is_clean) co_return std::move(pass->scan);
        scan.fresh = pass->scan.fresh;
        scan.current = pass->scan.current;
        scan.files.insert(scan.files.end(), pass->scan.files.begin(), pass->scan.files.end());
        scan.listings.splice(scan.listings.end(), pass->scan.listings);
    }
    const auto sort = [&scan] { sort_files(scan); };
    co_await run_aside(ring, scan.files.size(), sort);
    co_return scan;
}

void sort_files(Scan& scan) {
    std::ranges::reverse(scan.files);
    std::ranges::stable_sort(scan.files, {}, key_of);
    const auto repeats = std::ranges::unique(scan.files, {}, key_of);
    scan.files.erase(repeats.begin(), repeats.end());
}

std::span<const ScannedFile> files_named(const Scan& scan, std::string_view base) {
    const auto [first, last] = std::ranges::equal_range(
        scan.files, base, {}, [](const ScannedFile& file) { return file.base(); });
    return {first, last};
}

Task<Result<bool>> is_unchanged(Ring& ring, int maildrop, const Scan& scan) {
    static constexpr std::array folders{Folder::fresh, Folder::current};
    for (const Folder folder : folders) {
        const FolderState& then = folder == Folder::fresh ? scan.fresh : scan.current;
        FolderState now;
        const std::int64_t known =
            co_await perform(ring, Request::status_at(maildrop, folder_name(folder), now.status));
        if (known < 0 && known != -ENOENT)
            co_return std::unexpected(error_of_errno(static_cast<int>(-known), "look at folder"));
        now.exists = known == 0;
        if (!is_same(then, now)) co_return false;
    }
    co_return true;
}

}  // namespace restante
