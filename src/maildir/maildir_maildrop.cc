#include "maildir/maildir_maildrop.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

#include "maildir/index_refresh.h"
#include "maildir/maildir_name.h"

namespace restante {
namespace {

/// How often a marked message that has another name meanwhile is looked for before UPDATE gives up
/// on it.
constexpr int removal_rounds_max = 4;

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
    Result<Handle> file = co_await open_file(message);
    if (!file) co_return std::unexpected(file.error());
    FileStatus status;
    const std::int64_t known =
        co_await perform(context_.ring, Request::status(file->get(), status));
    if (known < 0)
        co_return std::unexpected(error_of_errno(static_cast<int>(-known), "look at message"));
    if (status.inode != message.inode || status.octets != message.stored_octets) {
        co_await note_changed(index);
        co_return std::unexpected(
            Error{ErrorKind::exhausted, 0, "message is not what was indexed"});
    }
    source_ = FileSource(std::move(*file), message);
    MessageSource* source = &source_;
    co_return source;
}

Task<Result<Handle>> MaildirMaildrop::open_file(IndexedMessage message) {
    std::string path = path_in_maildrop(message.folder, message.name);
    std::int64_t opened = co_await perform(
        context_.ring, Request::open(directory_.get(), path.c_str(), Request::Open::file));
    if (opened == -ENOENT) {
        Result<std::string> found = co_await find_again(message);
        if (!found) co_return std::unexpected(found.error());
        path = std::move(*found);
        opened = co_await perform(
            context_.ring, Request::open(directory_.get(), path.c_str(), Request::Open::file));
    }
    if (opened < 0)
        co_return std::unexpected(error_of_errno(static_cast<int>(-opened), "open message"));
    co_return Handle(context_.ring, static_cast<int>(opened));
}

/// Another program has renamed it (other flags, new/ to cur/) or removed it.
Task<Result<std::string>> MaildirMaildrop::find_again(IndexedMessage message) {
    const Result<Scan> scan = co_await scan_maildir(context_.ring, directory_.get());
    if (!scan) co_return std::unexpected(scan.error());
    for (const ScannedFile& file : scan->files) {
        if (file.inode == message.inode && base_name(file.name) == message.base) {
            co_return path_in_maildrop(file.folder, file.name);
        }
    }
    co_return std::unexpected(Error{ErrorKind::not_found, ENOENT, "open message"});
}

/// The next login measures it anew; this session keeps what it has said.
Task<void> MaildirMaildrop::note_changed(std::uint32_t changed) {
    IndexBuilder builder(index_->count());
    for (std::uint32_t at = 0; at < index_->count(); ++at) {
        const IndexedMessage message = index_->message(at);
        pop3::MessageMeasure measure = index_->measure(at);
        if (at == changed) measure.stored_octets = unmeasured;
        builder.add(
            {message.name, message.unique_id, message.folder, message.id_kind, message.inode},
            measure);
    }
    for (std::uint32_t at = 0; at < index_->retired_count(); ++at)
        builder.retire(index_->retired(at));
    IndexTrust trust = index_->trust();
    trust.fresh.is_trusted = false;
    IndexRefresh refresh(context_, place_, directory_.get());
    co_await refresh.keep(builder.build(trust));
}

/// Each marked message is found again by base name and inode if it was renamed; already gone counts
/// as done. What UPDATE acknowledges is on stable storage where [pop3] durable says so.
Task<CommitOutcome> MaildirMaildrop::commit(const pop3::DeletionMarks& marks) {
    std::vector<Pending> pending;
    for (std::uint32_t at = 0; at < index_->count(); ++at) {
        if (!marks.is_marked(pop3::MessageNumber::at(at))) continue;
        const IndexedMessage message = index_->message(at);
        pending.push_back({at, message.folder, std::string(message.name)});
    }
    bool is_complete = true;
    for (int round = 0; round < removal_rounds_max && !pending.empty(); ++round) {
        bool went_well = true;
        if (round > 0) went_well = co_await relocate(pending);
        if (went_well) went_well = co_await remove(pending);
        is_complete = is_complete && went_well;
        if (!went_well) break;
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
    if (!opened) co_return false;
    std::vector<Removal> removals;
    removals.reserve(pending.size());
    for (Pending& message : pending) {
        removals.push_back({losing(message.folder).handle.get(), message.name,
                            device_of(message.folder), index_->message(message.message).inode});
    }
    const std::int64_t done = co_await perform(context_.ring, Request::remove(removals));
    if (done < 0) {
        complain("not removed", static_cast<int>(-done));
        co_return false;
    }
    co_return settle(pending, removals);
}

bool MaildirMaildrop::settle(std::vector<Pending>& pending, const std::vector<Removal>& removals) {
    bool went_well = true;
    std::vector<Pending> to_look_for;
    for (std::size_t i = 0; i < removals.size(); ++i) {
        if (removals[i].result == 0) losing(pending[i].folder).has_lost = true;
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

/// Gives those that are still there their present names, and forgets the others.
Task<bool> MaildirMaildrop::relocate(std::vector<Pending>& pending) {
    const Result<Scan> scan = co_await scan_maildir(context_.ring, directory_.get());
    if (!scan) {
        complain("folders not listed", scan.error().system_errno);
        co_return false;
    }
    std::map<std::pair<std::string_view, std::uint64_t>, const ScannedFile*> files;
    for (const ScannedFile& file : scan->files) files[{base_name(file.name), file.inode}] = &file;
    std::erase_if(pending, [this, &files](Pending& message) {
        const IndexedMessage indexed = index_->message(message.message);
        const auto found = files.find({indexed.base, indexed.inode});
        if (found == files.end()) return true;
        message.folder = found->second->folder;
        message.name = found->second->name;
        return false;
    });
    co_return true;
}

Task<bool> MaildirMaildrop::open_losing(const std::vector<Pending>& pending) {
    for (const Pending& message : pending) {
        LosingFolder& folder = losing(message.folder);
        if (folder.handle.is_open()) continue;
        const std::int64_t opened = co_await perform(
            context_.ring,
            Request::open(directory_.get(), folder_name(message.folder), Request::Open::directory));
        if (opened < 0) {
            complain(folder_name(message.folder), static_cast<int>(-opened));
            co_return false;
        }
        folder.handle = Handle(context_.ring, static_cast<int>(opened));
    }
    co_return true;
}

Task<bool> MaildirMaildrop::make_durable() {
    bool is_durable = true;
    for (LosingFolder& folder : losing_) {
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

std::uint64_t MaildirMaildrop::device_of(Folder folder) const {
    const IndexTrust trust = index_->trust();
    return folder == Folder::fresh ? trust.fresh.folder.device : trust.current.folder.device;
}

void MaildirMaildrop::complain(std::string_view what, int system_errno) {
    const Error error = error_of_errno(system_errno > 0 ? system_errno : EIO, "UPDATE");
    context_.log.write(LogLevel::error,
                       fmt::format("maildrop {}: {}: {}, {}", log_escaped(place_.path, 512),
                                   describe(error), log_escaped(what, 512), place_.about));
}

}  // namespace restante
