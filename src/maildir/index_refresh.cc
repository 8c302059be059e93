#include "maildir/index_refresh.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "maildir/aside.h"
#include "maildir/kept_ids.h"
#include "maildir/maildir_name.h"

namespace restante {
namespace {

/// Stands for the content of a file that cannot be read: the name's id goes to a twin that can.
constexpr ContentHash unreadable_content = [] {
    ContentHash hash{};
    hash.fill(0xFF);
    return hash;
}();
/// New messages read at a time: a disk with a queue is waited for once, not once for each.
constexpr std::size_t readers_max = 8;
/// ... and by each of them between two turns, so that the others wait half a millisecond at most.
constexpr std::size_t files_a_turn = 4;
/// A file that is gone when it is to be read may have been renamed: the folders are listed again,
/// this often.
constexpr int rebuilds_max = 16;

FolderTrust trust_in(const FolderState& state) {
    if (!state.exists) return {.folder = {}, .is_trusted = true};
    return {.folder = identity_of(state.status), .is_trusted = state.is_settled};
}

/// Both are known, and the same.
bool is_same(const std::optional<FileIdentity>& then, const std::optional<FileIdentity>& now) {
    return then && now && same_file(*then, *now);
}

/// Who had which id, and in which order, still holds.
bool is_alike(const IndexTrust& then, const IndexTrust& now) {
    return then.policy == now.policy && same_file(then.dovecot_uidlist, now.dovecot_uidlist) &&
           same_file(then.courier_sizelist, now.courier_sizelist);
}

/// What making an index takes beside it.
std::uint64_t making_octets(const Scan& scan) {
    const std::size_t readers = std::min(readers_max, scan.files.size());
    std::uint64_t name_octets = 0;
    for (const ScannedFile& file : scan.files) name_octets += file.name.size();
    std::uint64_t listed_octets = 0;  // by each pass
    for (const DirectoryListing& listing : scan.listings) listed_octets += listing.octets();
    return scan.files.size() * making_octets_a_message + making_copies_max * name_octets +
           listed_octets + readers * BufferPool::buffer_octets;
}

}  // namespace

Task<Result<std::shared_ptr<const MaildropIndex>>> IndexRefresh::run() {
    CachedIndex cached = context_.cache.find(place_.path);
    const std::optional<FileIdentity> maildrop = co_await identify_maildrop();
    const bool has_same_names =
        maildrop && cached.maildrop && same_folder(*cached.maildrop, *maildrop);
    std::optional<IndexTrust> then;
    if (has_same_names) then = cached.index->trust();
    const Result<IndexTrust> now = co_await look(then);
    if (!now) co_return std::unexpected(now.error());
    StoredIndex stored(context_, place_, directory_);
    if (!has_same_names) co_await stored.open();
    const bool is_current =
        has_same_names || (cached.index != nullptr && is_same(cached.file, stored.file()));
    if (is_current) stored.close();
    if (is_current && holds(cached.index->trust(), *now)) {
        const std::uint64_t octets = cached.index->encoded().size();
        if (!share_.resize(octets)) {  // what most logins need costs no frame
            const Result<void> room = co_await await_share(context_.ring, share_, octets);
            if (!room) co_return std::unexpected(room.error());
        }
        if (!has_same_names) context_.cache.put(place_.path, {cached.index, cached.file, maildrop});
        co_return cached.index;
    }
    std::shared_ptr<const MaildropIndex> previous = cached.index;
    if (!is_current) {
        const Result<std::shared_ptr<const MaildropIndex>> newest =
            co_await choose_newest(std::move(previous), stored);
        if (!newest) co_return newest;
        previous = *newest;
        if (previous != cached.index && previous != nullptr && holds(previous->trust(), *now)) {
            context_.cache.put(place_.path, {previous, stored.file(), maildrop});
            co_return previous;
        }
    }
    cached.index.reset();
    Result<std::shared_ptr<const MaildropIndex>> rebuilt =
        co_await rebuild(std::move(previous), *now);
    if (!rebuilt) co_return rebuilt;
    share_.resize((*rebuilt)->encoded().size());  // less than making it took
    co_await keep(*rebuilt);
    co_return rebuilt;
}

/// Of `kept` and the one on disk; nullptr: there is none that can be used.
Task<Result<std::shared_ptr<const MaildropIndex>>> IndexRefresh::choose_newest(
    std::shared_ptr<const MaildropIndex> kept, StoredIndex& stored) {
    const bool is_removed = stored.file() && !stored.file()->exists;
    if (is_removed) kept = nullptr;  // what it remembered is not wanted
    const Result<std::shared_ptr<const MaildropIndex>> read = co_await stored.read(share_);
    if (!read || kept == nullptr) co_return read;
    // An older one could not be replaced, or somebody restored it.
    const bool is_older = *read == nullptr || (*read)->generation() < kept->generation();
    if (is_older) co_return kept;
    co_return read;
}

Task<void> IndexRefresh::keep(std::shared_ptr<const MaildropIndex> index) {
    StoredIndex stored(context_, place_, directory_);
    co_await stored.replace(*index);
    // Also where it could not be written: as long as the older one is there, this one counts.
    context_.cache.put(place_.path, {std::move(index), stored.file()});
}

/// Nothing: cannot be said, or it changed so short ago that another change would not show.
Task<std::optional<FileIdentity>> IndexRefresh::identify_maildrop() {
    FileStatus status;
    const std::int64_t known = co_await perform(context_.ring, Request::status(directory_, status));
    const Duration age(context_.ring.wall_time().nanoseconds - status.changed.nanoseconds);
    if (known < 0 || age <= file_time_granularity) co_return std::nullopt;
    co_return identity_of(status);
}

/// What an index must have been made from to hold now. `then`: when the maildrop had the same
/// names.
Task<Result<IndexTrust>> IndexRefresh::look(std::optional<IndexTrust> then) {
    IndexTrust now;
    now.policy = context_.options.unique_ids.hash();
    FileStatus folders[2];
    const std::int64_t known = co_await perform(
        context_.ring, Request::status_of_two(directory_, folder_name(Folder::fresh),
                                              folder_name(Folder::current), folders));
    Result<FileIdentity> found;
    if (known == 0) {
        now.fresh.folder = identity_of(folders[0]);
        now.current.folder = identity_of(folders[1]);
    } else {  // one is missing, or more
        found = co_await identify(context_.ring, directory_, folder_name(Folder::fresh));
        if (!found) co_return std::unexpected(found.error());
        now.fresh.folder = *found;
        found = co_await identify(context_.ring, directory_, folder_name(Folder::current));
        if (!found) co_return std::unexpected(found.error());
        now.current.folder = *found;
    }
    // A list that was not there is not there; one that was may have been written to in place.
    if (context_.options.unique_ids.reads_dovecot() && (!then || then->dovecot_uidlist.exists)) {
        found = co_await identify(context_.ring, directory_, uidlist_name);
        if (!found) co_return std::unexpected(found.error());
        now.dovecot_uidlist = *found;
    }
    if (context_.options.unique_ids.reads_courier() && (!then || then->courier_sizelist.exists)) {
        found = co_await identify(context_.ring, directory_, sizelist_name);
        if (!found) co_return std::unexpected(found.error());
        now.courier_sizelist = *found;
    }
    co_return now;
}

/// `trust` was taken before anything is read here: what changes meanwhile shows at the next login.
Task<Result<std::shared_ptr<const MaildropIndex>>> IndexRefresh::rebuild(
    std::shared_ptr<const MaildropIndex> previous, IndexTrust trust) {
    const std::uint64_t beside =
        (previous == nullptr ? 0 : previous->encoded().size()) +
        making_copies_max * (trust.dovecot_uidlist.octets + trust.courier_sizelist.octets);
    // For as many messages as there were, before anything is held that others may wait for.
    const std::uint64_t foretold =
        previous == nullptr ? 0 : previous->count() * making_octets_a_message;
    Result<void> room = co_await await_share(context_.ring, share_, beside + foretold);
    if (!room) co_return std::unexpected(room.error());
    Result<LoadedLists> lists = co_await load_foreign_lists(context_, place_, directory_);
    if (!lists) co_return std::unexpected(lists.error());
    const bool is_as_then = previous != nullptr && is_alike(previous->trust(), trust);
    Known known{std::move(previous), std::move(*lists), is_as_then};
    for (int i = 0; i < rebuilds_max; ++i) {
        Result<Scan> scan = co_await scan_maildir(context_.ring, directory_);
        if (!scan) co_return std::unexpected(scan.error());
        if (scan->files.size() > indexed_messages_max) {
            co_return std::unexpected(
                Error{ErrorKind::exhausted, 0, "more messages than an index holds"});
        }
        const std::uint64_t needed = beside + making_octets(*scan);
        if (!share_.resize(needed)) {
            scan = Scan();  // not held while we wait: listed again
            room = co_await await_share(context_.ring, share_, needed);
            if (!room) co_return std::unexpected(room.error());
            continue;
        }
        Result<std::shared_ptr<const MaildropIndex>> made =
            co_await make_index(*scan, known, trust);
        if (!made || *made != nullptr) co_return made;
    }
    co_return std::unexpected(
        Error{ErrorKind::exhausted, 0, "files are renamed as fast as they are read"});
}

/// nullptr: a file of `scan` was gone when it was to be read.
Task<Result<std::shared_ptr<const MaildropIndex>>> IndexRefresh::make_index(Scan& scan,
                                                                            Known& known,
                                                                            IndexTrust trust) {
    const Result<std::optional<AssignedIds>> ids = co_await assign_ids(scan, known);
    if (!ids) co_return std::unexpected(ids.error());
    if (!*ids) co_return nullptr;
    const Result<Attempt> attempt = co_await read_new(**ids, scan, known.previous.get());
    if (!attempt) co_return std::unexpected(attempt.error());
    if (*attempt == Attempt::file_gone) co_return nullptr;
    now_ = context_.ring.wall_time();
    std::shared_ptr<const MaildropIndex> made;
    const auto make = [this, &made, &scan, &ids, &known, &trust] {
        made = build(scan, **ids, known.previous.get(), trust);
        measures_.clear();
    };
    co_await run_aside(context_.ring, scan.files.size(), make);
    co_return made;
}

/// Nothing: as make_index() has it.
Task<Result<std::optional<AssignedIds>>> IndexRefresh::assign_ids(Scan& scan, Known& known) {
    const UniqueIdPolicy& policy = context_.options.unique_ids;
    std::optional<AssignedIds> ids;
    std::optional<UniqueIdAssignment> assignment;
    const auto assign = [&] {
        if (known.previous != nullptr && !known.lookup) known.lookup.emplace(known.previous);
        const UniqueIdSources sources{known.lookup ? &*known.lookup : nullptr,
                                      {known.lists.dovecot ? &*known.lists.dovecot : nullptr,
                                       known.lists.courier ? &*known.lists.courier : nullptr}};
        if (known.is_alike) ids = keep_ids(policy, sources, scan.files);
        if (ids) return;
        sort_files(scan);
        assignment.emplace(policy, sources, scan.files);
    };
    const std::size_t known_count = known.previous == nullptr ? 0 : known.previous->count();
    const std::size_t messages = std::max(scan.files.size(), known_count);
    co_await run_aside(context_.ring, messages, assign);
    if (ids) co_return ids;
    std::vector<ContentHash> digests;
    const Result<Attempt> attempt = co_await read_digests(*assignment, scan, digests);
    if (!attempt) co_return std::unexpected(attempt.error());
    if (*attempt == Attempt::file_gone) co_return std::nullopt;
    const auto finish = [&ids, &assignment, &digests] {
        ids = assignment->finish(digests);
        assignment.reset();
    };
    co_await run_aside(context_.ring, messages, finish);
    co_return ids;
}

std::shared_ptr<const MaildropIndex> IndexRefresh::build(const Scan& scan, const AssignedIds& ids,
                                                         const MaildropIndex* previous,
                                                         IndexTrust trust) const {
    std::size_t text_octets = 0;
    for (const ScannedFile& file : scan.files) text_octets += file.name.size();
    for (const AssignedMessage& message : ids.messages)
        if (message.id_kind != UniqueIdKind::derived) text_octets += message.unique_id.size();
    IndexBuilder builder(ids.messages.size(), text_octets);
    trust.fresh = trust_in(scan.fresh);
    trust.current = trust_in(scan.current);
    for (const AssignedMessage& message : ids.messages) {
        if (message.is_unchanged) {
            builder.add(*previous, *message.previous);
            continue;
        }
        const ScannedFile& file = scan.files[message.file];
        NewIndexedMessage made{file.name, message.unique_id, file.folder, message.id_kind,
                               file.inode};
        if (const MeasuredFile* read = measured(file)) {
            made.inode = read->inode;
            made.modified = read->modified;
            builder.add(made, read->measure);
        } else {
            builder.add(made, *previous, message.previous.value());
        }
    }
    for (const RetiredId& retired : ids.retired) builder.retire(retired);
    trust.has_unmeasured = builder.has_unmeasured();
    const std::uint32_t former = previous == nullptr ? 0 : previous->generation();
    return builder.build(trust, next_generation(former, now_));
}

const MeasuredFile* IndexRefresh::measured(const ScannedFile& file) const {
    const auto found = measures_.find(std::tuple(file.inode, file.base()));
    return found == measures_.end() ? nullptr : &found->second;
}

Task<Result<IndexRefresh::Attempt>> IndexRefresh::read_digests(const UniqueIdAssignment& assignment,
                                                               const Scan& scan,
                                                               std::vector<ContentHash>& digests) {
    for (const std::uint32_t position : assignment.digests_needed()) {
        const ScannedFile& file = scan.files[position];
        if (measured(file) == nullptr || !measured(file)->content) {
            const Result<Attempt> attempt = co_await measure(file, true);
            if (!attempt || *attempt == Attempt::file_gone) co_return attempt;
        }
        digests.push_back(measured(file)->content.value_or(unreadable_content));
    }
    co_return Attempt::done;
}

Task<Result<IndexRefresh::Attempt>> IndexRefresh::read_new(const AssignedIds& ids, const Scan& scan,
                                                           const MaildropIndex* previous) {
    Reading reading;
    const auto choose = [this, &reading, &ids, &scan, previous] {
        reading.files = unmeasured_files(ids, scan, previous);
    };
    co_await run_aside(context_.ring, ids.messages.size(), choose);
    TaskGroup readers;
    for (std::size_t i = 0; i < std::min(readers_max, reading.files.size()); ++i)
        readers.start(read_some(reading));
    co_await readers;
    co_return reading.outcome;
}

std::vector<const ScannedFile*> IndexRefresh::unmeasured_files(
    const AssignedIds& ids, const Scan& scan, const MaildropIndex* previous) const {
    std::vector<const ScannedFile*> files;
    for (const AssignedMessage& message : ids.messages) {
        const ScannedFile& file = scan.files[message.file];
        const bool is_known = message.previous && previous->is_measured(*message.previous);
        if (!is_known && measured(file) == nullptr) files.push_back(&file);
    }
    return files;
}

/// Files in memory are read without a wait: thousands of them must not stop the other sessions.
Task<void> IndexRefresh::read_some(Reading& reading) {
    for (std::size_t read = 1;
         reading.next < reading.files.size() && reading.outcome == Attempt::done; ++read) {
        const ScannedFile& file = *reading.files[reading.next++];
        const Result<Attempt> attempt = co_await measure(file, false);
        if (!attempt || *attempt == Attempt::file_gone) reading.outcome = attempt;
        if (read % files_a_turn == 0) co_await yield(context_.ring);
    }
}

Task<Result<IndexRefresh::Attempt>> IndexRefresh::measure(const ScannedFile& file,
                                                          bool with_content) {
    const BriefString path = path_in_maildrop(file.folder, file.name);
    const Result<MeasuredFile> read =
        co_await measure_file(context_.ring, context_.buffers, directory_, path, with_content);
    if (!read) {
        const Result<Attempt> attempt = co_await stand_in(file, read.error());
        co_return attempt;
    }
    measure_of(file) = *read;
    co_return Attempt::done;
}

/// For a file that cannot be read: listed with its size, so that nobody takes it for gone, and
/// never sent.
Task<Result<IndexRefresh::Attempt>> IndexRefresh::stand_in(const ScannedFile& file, Error error) {
    const BriefString path = path_in_maildrop(file.folder, file.name);
    FileStatus status;
    const std::int64_t known =
        co_await perform(context_.ring, Request::status_at(directory_, path.c_str(), status));
    if (known == -ENOENT) co_return Attempt::file_gone;
    if (known < 0)
        co_return std::unexpected(error_of_errno(static_cast<int>(-known), "look at message"));
    place_.write(context_.log, LogLevel::error,
                 fmt::format("{}: {}", log_escaped(path, 512), describe(error)));
    MeasuredFile unreadable;
    unreadable.measure.octets = pop3::Octets(status.octets);
    unreadable.measure.stored_octets = unmeasured;
    unreadable.inode = status.inode;
    measure_of(file) = unreadable;
    co_return Attempt::done;
}

}  // namespace restante
