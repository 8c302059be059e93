#include "maildir/maildir_maildrop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.h"
#include "maildir/aside.h"
#include "maildir/index_refresh.h"
#include "maildir/maildir_name.h"

namespace restante {
namespace {

/// How often a marked message that has another name meanwhile is looked for before UPDATE gives up
/// on it.
constexpr int removal_rounds_max = 4;
/// How often a message to be sent is looked for, likewise.
constexpr int searches_max = 4;

constexpr Error not_as_indexed{ErrorKind::exhausted, 0, "message is not what was indexed"};
/// Without ENOENT, which says that a name that was just listed is not there.
constexpr Error gone{ErrorKind::not_found, 0, "message was removed by another program"};

/// Renamed, or one file under several names: programs without rename(2) link first, then unlink.
bool may_be_elsewhere(const Removal& removal) {
    return removal.result == -ENOENT || removal.result == -ESTALE || removal.has_other_names;
}

}  // namespace

Task<Result<MessageSource*>> MaildirMaildrop::open_message(std::uint32_t index) {
    const IndexedMessage message = index_->message(index);
    if (message.stored_octets == unmeasured) {
        co_return std::unexpected(
            Error{ErrorKind::refused, 0, "message could not be read at login"});
    }
    if (changes_ != nullptr && changes_->noted.contains(index))
        co_return std::unexpected(not_as_indexed);
    const BriefString path = path_in_maildrop(message.folder, message.name);
    FileStatus status;
    const std::int64_t opened =
        co_await perform(context_.ring, Request::open_file(directory_.get(), path.c_str(), status));
    Result<OpenFile> file = file_of(opened, status);
    if (!file && file.error().system_errno == ENOENT) file = co_await open_renamed(message);
    if (!file) co_return std::unexpected(file.error());
    if (file->status.inode != message.inode || file->status.octets != message.stored_octets) {
        co_await note_changed(index);
        co_return std::unexpected(not_as_indexed);
    }
    const WallTime modified = file->status.modified;
    source_ = std::make_unique<FileSource>(std::move(file->handle), modified,
                                           index_->measure(index), modified == message.modified);
    MessageSource* source = source_.get();
    co_return source;
}

/// What a Request::open_file came to.
Result<MaildirMaildrop::OpenFile> MaildirMaildrop::file_of(std::int64_t opened,
                                                           const FileStatus& status) const {
    if (opened < 0)
        return std::unexpected(error_of_errno(static_cast<int>(-opened), "open message"));
    return OpenFile{Handle(context_.ring, static_cast<int>(opened)), status};
}

/// Another program has renamed it (other flags, new/ to cur/) or removed it. It is looked for in
/// the last listing first: where thousands were renamed at once, one listing serves them all.
Task<Result<MaildirMaildrop::OpenFile>> MaildirMaildrop::open_renamed(IndexedMessage message) {
    bool is_listed = false;
    if (last_scan_) {
        const Result<bool> unchanged =
            co_await is_unchanged(context_.ring, directory_.get(), *last_scan_);
        if (!unchanged) co_return std::unexpected(unchanged.error());
        is_listed = *unchanged;
    }
    for (int i = 0; i < searches_max; ++i) {
        if (!is_listed) {
            const Result<void> scanned = co_await scan_again();
            if (!scanned) co_return std::unexpected(scanned.error());
        }
        const std::span<const ScannedFile> files = files_named(*last_scan_, message.base);
        Result<OpenFile> file = co_await open_one_of(files, message.inode);
        if (file || file.error().kind != ErrorKind::not_found) co_return file;
        const bool is_settled = last_scan_->fresh.is_settled && last_scan_->current.is_settled;
        const bool is_renamed_again = file.error().system_errno == ENOENT;
        if (!is_renamed_again && (is_settled || !is_listed)) co_return file;
        is_listed = false;
    }
    co_return std::unexpected(gone);
}

/// That with `inode`, as the open file says: what a listing says of inodes is something else on
/// some file systems (overlayfs, FUSE). not_found: none of them is, with ENOENT where one has
/// another name meanwhile.
Task<Result<MaildirMaildrop::OpenFile>> MaildirMaildrop::open_one_of(
    std::span<const ScannedFile> files, std::uint64_t inode) {
    Error error = gone;
    for (const ScannedFile& listed : files) {
        const BriefString path = path_in_maildrop(listed.folder, listed.name);
        FileStatus status;
        const std::int64_t opened = co_await perform(
            context_.ring, Request::open_file(directory_.get(), path.c_str(), status));
        Result<OpenFile> file = file_of(opened, status);
        if (file && file->status.inode == inode) co_return file;
        if (!file) error = file.error();
    }
    co_return std::unexpected(error);
}

Task<Result<void>> MaildirMaildrop::scan_again() {
    const std::uint64_t octets =
        index_->encoded().size() + index_->count() * listing_octets_a_message;
    share_.exceed(std::max(share_.octets(), octets));
    last_scan_.reset();
    Result<Scan> scan = co_await scan_maildir(context_.ring, directory_.get());
    if (!scan) co_return std::unexpected(scan.error());
    const auto sort = [&scan] { sort_files(*scan); };
    co_await run_aside(context_.ring, scan->files.size(), sort);
    last_scan_ = std::make_unique<Scan>(std::move(*scan));
    co_return Result<void>();
}

Task<void> MaildirMaildrop::note_changed(std::uint32_t index) {
    ASSERT(index < index_->count());
    if (!changes().noted.insert(index).second) co_return;
    constexpr std::uint64_t copies = 3;  // the pieces, as they grow, and what is made of them
    IndexMemory::Share making(*context_.options.index_memory);
    making.exceed(copies * index_->encoded().size());
    IndexRefresh refresh(context_, place_, directory_.get());
    co_await refresh.keep(noted_index());
}

/// What was opened, but that the noted messages have to be measured anew. This session keeps what
/// it has said.
std::shared_ptr<const MaildropIndex> MaildirMaildrop::noted_index() {
    IndexBuilder builder(index_->count(), index_->text_octets());
    for (std::uint32_t at = 0; at < index_->count(); ++at) {
        if (!changes_->noted.contains(at)) {
            builder.add(*index_, at);
            continue;
        }
        const IndexedMessage message = index_->message(at);
        pop3::MessageMeasure measure = index_->measure(at);
        measure.stored_octets = unmeasured;
        builder.add({message.name, message.unique_id, message.folder, message.id_kind,
                     message.inode, message.modified},
                    measure);
    }
    for (std::uint32_t at = 0; at < index_->retired_count(); ++at)
        builder.retire(index_->retired(at));
    IndexTrust trust = index_->trust();
    trust.has_unmeasured = true;
    generation_ = next_generation(generation_, context_.ring.wall_time());
    return builder.build(trust, generation_);
}

/// Each marked message is looked for if it was renamed; already gone counts as done. What cannot be
/// removed keeps no other from it. What UPDATE acknowledges is on stable storage where
/// [pop3] durable says so.
Task<CommitOutcome> MaildirMaildrop::commit(const pop3::DeletionMarks& marks) {
    share_.exceed(share_.octets() + marks.marked_count() * removing_octets_a_message);
    std::vector<Pending> pending;
    for (std::uint32_t at = 0; at < index_->count(); ++at) {
        if (!marks.is_marked(pop3::MessageNumber::at(at))) continue;
        const IndexedMessage message = index_->message(at);
        pending.push_back({at, message.folder, std::string(message.name)});
    }
    bool is_complete = true;
    for (int round = 0; !pending.empty(); ++round) {
        bool went_well = true;
        if (round > 0) went_well = co_await relocate(pending);
        is_complete = is_complete && went_well;
        if (round == removal_rounds_max) break;
        went_well = co_await remove(pending);
        is_complete = is_complete && went_well;
    }
    if (!pending.empty()) complain("renamed as fast as they are removed", EBUSY);
    bool is_durable = true;
    if (context_.options.durable) is_durable = co_await make_durable();
    co_return is_complete&& is_durable&& pending.empty() ? CommitOutcome::done
                                                         : CommitOutcome::incomplete;
}

/// Leaves in `pending` what has to be looked for. False: something could not be removed.
Task<bool> MaildirMaildrop::remove(std::vector<Pending>& pending) {
    const bool opened = co_await open_losing(pending);
    if (pending.empty()) co_return opened;
    std::vector<Removal> removals;
    removals.reserve(pending.size());
    for (const Pending& message : pending) {
        removals.push_back({losing(message.folder).handle.get(), message.name,
                            message.device.value_or(device_of(message.folder)),
                            index_->message(message.message).inode});
    }
    const std::int64_t done = co_await perform(context_.ring, Request::remove(removals));
    if (done < 0) {
        complain("not removed", static_cast<int>(-done));
        pending.clear();
        co_return false;
    }
    const bool settled = settle(pending, removals);
    const bool went_well = opened && settled;
    co_return went_well;
}

bool MaildirMaildrop::settle(std::vector<Pending>& pending, const std::vector<Removal>& removals) {
    bool went_well = true;
    std::vector<Pending> to_look_for;
    for (std::size_t i = 0; i < removals.size(); ++i) {
        const bool is_removed = removals[i].result == 0;
        // Also where another program has renamed it: a sync of where it is now need not say so.
        if (is_removed || removals[i].result == -ENOENT) losing(pending[i].folder).has_lost = true;
        pending[i].is_removed = is_removed;
        if (may_be_elsewhere(removals[i])) {
            to_look_for.push_back(std::move(pending[i]));
        } else if (removals[i].result < 0) {
            complain(path_in_maildrop(pending[i].folder, pending[i].name), -removals[i].result);
            went_well = false;
        }
    }
    pending = std::move(to_look_for);
    return went_well;
}

/// Gives those that are still there their present names, and forgets the others. False: of some it
/// cannot be said; these are forgotten too.
Task<bool> MaildirMaildrop::relocate(std::vector<Pending>& pending) {
    const Result<void> scanned = co_await scan_again();
    if (!scanned) {
        complain("folders not listed", scanned.error().system_errno);
        pending.clear();
        co_return false;
    }
    bool went_well = true;
    bool is_lost = false;
    std::vector<Pending> to_remove;
    for (Pending& message : pending) {
        const Whereabouts whereabouts = co_await relocate_one(message);
        if (whereabouts == Whereabouts::unknown) went_well = false;
        if (whereabouts == Whereabouts::gone && !message.is_removed) is_lost = true;
        if (whereabouts == Whereabouts::found || whereabouts == Whereabouts::renamed_again)
            to_remove.push_back(std::move(message));
    }
    pending = std::move(to_remove);
    if (is_lost) {
        const bool noted = co_await note_loss();
        went_well = went_well && noted;
    }
    co_return went_well;
}

/// Another program has removed a marked message, or put another file in its place, in whichever
/// folder. It is acknowledged too.
Task<bool> MaildirMaildrop::note_loss() {
    bool went_well = true;
    for (const Folder folder : {Folder::fresh, Folder::current}) {
        const int error = co_await open_losing(folder);
        if (error == 0) losing(folder).has_lost = true;
        if (error == 0 || error == ENOENT) continue;
        complain(folder_name(folder), error);
        went_well = false;
    }
    co_return went_well;
}

/// By base name; whether it is the file that was indexed, the file itself says. Its device need not
/// be its folder's (overlayfs) and is not in the index: it is taken from the file with the right
/// inode, and removal compares both, so a file that takes its place meanwhile stays.
Task<MaildirMaildrop::Whereabouts> MaildirMaildrop::relocate_one(Pending& message) {
    const IndexedMessage indexed = index_->message(message.message);
    Whereabouts whereabouts = Whereabouts::gone;
    const std::span<const ScannedFile> files = files_named(*last_scan_, indexed.base);
    for (const ScannedFile& file : files) {
        const BriefString path = path_in_maildrop(file.folder, file.name);
        FileStatus status;
        const std::int64_t known = co_await perform(
            context_.ring, Request::status_at(directory_.get(), path.c_str(), status));
        if (known == -ENOENT) {
            whereabouts = Whereabouts::renamed_again;
        } else if (known < 0) {
            complain(path, static_cast<int>(-known));
            co_return Whereabouts::unknown;
        } else if (status.inode == indexed.inode) {
            message = {message.message, file.folder, std::string(file.name), status.device};
            co_return Whereabouts::found;
        }
    }
    co_return whereabouts;
}

/// Forgets those whose folder cannot be opened. False: there were some.
Task<bool> MaildirMaildrop::open_losing(std::vector<Pending>& pending) {
    static constexpr std::array folders{Folder::fresh, Folder::current};
    bool went_well = true;
    for (const Folder folder : folders) {
        const auto is_in_it = [folder](const Pending& message) { return message.folder == folder; };
        if (std::ranges::none_of(pending, is_in_it)) continue;
        const int error = co_await open_losing(folder);
        if (error == 0) continue;
        complain(folder_name(folder), error);
        std::erase_if(pending, is_in_it);
        went_well = false;
    }
    co_return went_well;
}

/// 0 or errno.
Task<int> MaildirMaildrop::open_losing(Folder folder) {
    if (losing(folder).handle.is_open()) co_return 0;
    const std::int64_t opened = co_await perform(
        context_.ring,
        Request::open(directory_.get(), folder_name(folder), Request::Open::directory));
    if (opened < 0) co_return static_cast<int>(-opened);
    losing(folder).handle = Handle(context_.ring, static_cast<int>(opened));
    co_return 0;
}

Task<bool> MaildirMaildrop::make_durable() {
    if (changes_ == nullptr) co_return true;
    bool is_durable = true;
    for (LosingFolder& folder : changes_->losing) {
        if (!folder.has_lost) continue;
        const std::int64_t synced =
            co_await perform(context_.ring, Request::sync(folder.handle.get()));
        if (synced < 0) {
            complain("removals may not outlive a power cut", static_cast<int>(-synced));
            is_durable = false;
        }
    }
    co_return is_durable;
}

MaildirMaildrop::Changes& MaildirMaildrop::changes() {
    if (changes_ == nullptr) changes_ = std::make_unique<Changes>();
    return *changes_;
}

/// A guess; where it is wrong (overlayfs), relocate_one() finds out.
std::uint64_t MaildirMaildrop::device_of(Folder folder) const {
    const IndexTrust trust = index_->trust();
    return folder == Folder::fresh ? trust.fresh.folder.device : trust.current.folder.device;
}

void MaildirMaildrop::complain(std::string_view what, int system_errno) {
    const Error error = error_of_errno(system_errno > 0 ? system_errno : EIO, "UPDATE");
    place_.write(context_.log, LogLevel::error,
                 fmt::format("{}: {}", describe(error), log_escaped(what, 512)));
}

}  // namespace restante
