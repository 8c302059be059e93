#pragma once
/// A maildrop of which only names, inodes and contents count, for tests of who has which unique-id.

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "maildir/kept_ids.h"
#include "maildir/unique_ids.h"
#include "pop3/types.h"

namespace restante {

using Ids = std::vector<std::string>;

struct MailFile {
    std::string name;
    std::uint64_t inode;
    std::string content = "x";
    Folder folder = Folder::current;
};

/// A maildrop with its lists, and the index that the last opening left.
class UniqueIdsWorld {
public:
    std::vector<MailFile> files;
    std::string uidlist;   // "" = none
    std::string sizelist;  // "" = none
    UniqueIdPolicy policy;
    std::shared_ptr<const MaildropIndex> index;
    std::size_t digests_read = 0;
    std::size_t kept = 0;  // how often keep_ids() knew all

    MailFile& deliver(std::string name, std::uint64_t inode, std::string content = "x") {
        return files.emplace_back(MailFile{std::move(name), inode, std::move(content)});
    }
    void remove(std::uint64_t inode) {
        std::erase_if(files, [inode](const MailFile& file) { return file.inode == inode; });
    }
    /// Unique-ids in number order, as a client sees them; what was learnt is the next opening's
    /// index.
    std::vector<std::string> open() {
        std::vector<std::string> ids;
        for (const auto& [id, file] : open_files()) ids.push_back(id);
        return ids;
    }
    /// By inode.
    std::map<std::uint64_t, std::string> ids() {
        std::map<std::uint64_t, std::string> ids;
        for (const auto& [id, file] : open_files()) ids[file->inode] = id;
        return ids;
    }
    UniqueIdKind kind_of(std::string_view id) const {
        for (std::uint32_t at = 0; at < index->count(); ++at) {
            if (index->listed(at).unique_id == id) return index->message(at).id_kind;
        }
        FAIL("no such id");
        return {};
    }

private:
    std::vector<std::pair<std::string, const MailFile*>> open_files() {
        std::vector<ScannedFile> scanned;
        for (const MailFile& file : files) scanned.push_back({file.name, file.inode, file.folder});
        const DovecotUidlist dovecot = DovecotUidlist::parse(uidlist);
        const CourierSizelist courier = CourierSizelist::parse(sizelist);
        std::optional<IndexLookup> lookup;
        if (index != nullptr) lookup.emplace(index);
        const UniqueIdSources sources{.previous = lookup ? &*lookup : nullptr,
                                      .lists = {.dovecot = uidlist.empty() ? nullptr : &dovecot,
                                                .courier = sizelist.empty() ? nullptr : &courier}};
        UniqueIdAssignment assignment(policy, sources, scanned);
        std::vector<ContentHash> digests;
        for (const std::uint32_t at : assignment.digests_needed()) {
            ContentDigest digest;
            digest.feed(files[at].content);
            digests.push_back(digest.finish());
        }
        digests_read = digests.size();
        const AssignedIds assigned = assignment.finish(digests);
        if (is_as_it_was()) compare(assigned, scanned, keep_ids(policy, sources, scanned));
        former_lists_ = {uidlist, sizelist};
        return keep(assigned);
    }
    /// What keep_ids() asks for.
    bool is_as_it_was() const {
        return index != nullptr && index->trust().policy == policy.hash() &&
               former_lists_ == std::pair(uidlist, sizelist);
    }
    /// The short way says the same as the long one, or nothing.
    void compare(const AssignedIds& assigned, const std::vector<ScannedFile>& scanned,
                 const std::optional<AssignedIds>& short_way) {
        if (!short_way) return;
        ++kept;
        REQUIRE(short_way->messages.size() == assigned.messages.size());
        REQUIRE(assigned.retired.empty());
        for (std::size_t i = 0; i < assigned.messages.size(); ++i) {
            const AssignedMessage& said = short_way->messages[i];
            const AssignedMessage& right = assigned.messages[i];
            REQUIRE(said.unique_id == right.unique_id);
            REQUIRE(said.file == right.file);
            REQUIRE(said.previous == right.previous);
            REQUIRE(said.id_kind == right.id_kind);
            if (!said.is_unchanged) continue;
            const IndexedMessage message = index->message(said.previous.value());
            REQUIRE(message.name == scanned[said.file].name);
            REQUIRE(message.folder == scanned[said.file].folder);
            REQUIRE(message.stored_octets != unmeasured);
        }
    }

    std::vector<std::pair<std::string, const MailFile*>> keep(const AssignedIds& assigned) {
        IndexBuilder builder;
        std::vector<std::pair<std::string, const MailFile*>> opened;
        std::set<std::string> seen;
        for (const AssignedMessage& message : assigned.messages) {
            const MailFile& file = files[message.file];
            const std::string id(message.unique_id);
            REQUIRE(pop3::is_unique_id(id));
            REQUIRE(seen.insert(id).second);
            opened.emplace_back(id, &file);
            builder.add({file.name, id, file.folder, message.id_kind, file.inode}, {});
        }
        for (const RetiredId& retired : assigned.retired) builder.retire(retired);
        IndexTrust trust;
        trust.policy = policy.hash();
        index = builder.build(trust);
        return opened;
    }

    std::pair<std::string, std::string> former_lists_;
};

}  // namespace restante
