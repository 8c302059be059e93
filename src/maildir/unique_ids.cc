#include "maildir/unique_ids.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/assert.h"
#include "maildir/maildir_name.h"

namespace restante {

bool IdSet::contains(std::string_view id) const { return contains(id, NameTable::hash(id)); }

bool IdSet::contains(std::string_view id, std::uint64_t hash) const {
    bool found = false;
    positions_.visit(hash, [&](std::uint32_t at) { return found = ids_[at] == id; });
    return found;
}

bool IdSet::insert(std::string_view id) {
    const std::uint64_t hash = NameTable::hash(id);
    if (contains(id, hash)) return false;
    positions_.insert(hash, static_cast<std::uint32_t>(ids_.size()));
    ids_.push_back(id);
    return true;
}

UniqueIdAssignment::UniqueIdAssignment(const UniqueIdPolicy& policy, const UniqueIdSources& sources,
                                       std::span<const ScannedFile> files)
    : wanted_(policy, sources.lists), names_(files.size()), taken_(files.size()) {
    ASSERT(files.size() <= indexed_messages_max);
    if (sources.previous != nullptr) {
        lookup_ = sources.previous;
        previous_ = &lookup_->index();
        same_policy_ = previous_->trust().policy == policy.hash();
    }
    collect(files);
    carry_retired_ids();
    keep_known_ids();
    retire_lost_ids();
    decide_by_name();
}

// One candidate for each base name and inode.
void UniqueIdAssignment::collect(std::span<const ScannedFile> files) {
    static_assert(Folder::current > Folder::fresh);
    candidates_.reserve(files.size());
    for (std::uint32_t file = 0; file < files.size(); ++file) {
        const std::string_view base = files[file].base();
        const std::uint64_t inode = files[file].inode;
        if (names_.add(base, inode, static_cast<std::uint32_t>(candidates_.size()))) {
            candidates_.push_back({.file = file, .base = base, .inode = inode});
            continue;
        }
        Candidate& other = candidates_[*names_.find(base, inode)];
        if (files[file].folder >= files[other.file].folder) other.file = file;
    }
}

// Whatever the policy was: the id of a message that is gone stays taken.
void UniqueIdAssignment::carry_retired_ids() {
    for (std::uint32_t at = 0; previous_ != nullptr && at < previous_->retired_count(); ++at) {
        retire(previous_->retired(at));
    }
}

void UniqueIdAssignment::retire(const RetiredId& retired) {
    const bool is_new = retired_inodes_.try_emplace(retired.unique_id, retired.inode).second;
    if (is_new) retired_.push_back(retired);
}

bool UniqueIdAssignment::may_have(const Candidate& candidate, std::string_view id) const {
    if (retired_inodes_.empty()) return true;
    const auto retired = retired_inodes_.find(id);
    return retired == retired_inodes_.end() ||
           (retired->second != 0 && retired->second == candidate.inode);
}

bool UniqueIdAssignment::give(Candidate& candidate, std::string_view id, UniqueIdKind kind) {
    if (!may_have(candidate, id) || !taken_.insert(id)) return false;
    candidate.id = id;
    candidate.id_kind = kind;
    return true;
}

void UniqueIdAssignment::keep_known_ids() {
    if (previous_ == nullptr) return;
    for (Candidate& candidate : candidates_) {
        candidate.previous = lookup_->find(candidate.base, candidate.inode);
        const std::optional<std::uint32_t> known = known_as(candidate);
        if (!known) continue;
        const IndexedMessage message = previous_->message(*known);
        give(candidate, message.unique_id, message.id_kind);
    }
}

// The message of the previous index that a candidate is: that in the same file, or, when inodes
// have changed (a copy, a restored backup), the only one of its name.
std::optional<std::uint32_t> UniqueIdAssignment::known_as(const Candidate& candidate) {
    if (!same_policy_) return std::nullopt;
    if (candidate.previous || names_.name(candidate.base)->is_shared) return candidate.previous;
    const std::optional<FileTable::Name> name = lookup_->name(candidate.base);
    if (!name || name->is_shared) return std::nullopt;
    if (!retired_.empty()) {  // it may be the one that was gone, come back
        const std::string_view wanted = wanted_.of(candidate.base).id;
        if (is_retired(wanted) && may_have(candidate, wanted)) return std::nullopt;
    }
    return name->position;
}

// A message with a content id once lost its name's id to another. Where that one is gone its id
// must not go to this name again.
void UniqueIdAssignment::retire_lost_ids() {
    for (const Candidate& candidate : candidates_) {
        if (candidate.id.empty() || candidate.id_kind != UniqueIdKind::content) continue;
        const std::string_view lost = wanted_.of(candidate.base).id;
        if (!taken_.contains(lost)) retire({lost, former_inode(candidate, lost)});
    }
}

std::uint64_t UniqueIdAssignment::former_inode(const Candidate& candidate, std::string_view id) {
    const std::optional<std::uint32_t> former = previous_with_id(id);
    if (!former) return 0;
    const IndexedMessage message = previous_->message(*former);
    return message.base == candidate.base ? message.inode : 0;
}

std::optional<std::uint32_t> UniqueIdAssignment::previous_with_id(std::string_view id) {
    if (previous_ == nullptr) return std::nullopt;
    if (!previous_ids_) {
        previous_ids_.emplace(previous_->count());
        for (std::uint32_t at = 0; at < previous_->count(); ++at) {
            previous_ids_->insert(NameTable::hash(previous_->listed(at).unique_id), at);
        }
    }
    std::optional<std::uint32_t> found;
    previous_ids_->visit(NameTable::hash(id), [&](std::uint32_t at) {
        if (previous_->listed(at).unique_id == id) found = at;
        return found.has_value();
    });
    return found;
}

// Undecided candidates get what they want, but for those whose content decides.
void UniqueIdAssignment::decide_by_name() {
    struct Claim {
        std::uint32_t candidate;
        WantedId wanted;
        bool is_contested;
    };
    std::vector<Claim> claims;
    NameTable first_claims(candidates_.size());  // the first of each id
    for (std::uint32_t at = 0; at < candidates_.size(); ++at) {
        const Candidate& candidate = candidates_[at];
        if (!candidate.id.empty()) continue;
        const WantedId wanted = wanted_.of(candidate.base);
        bool is_contested = taken_.contains(wanted.id) || was_twin(candidate);
        const std::uint64_t hash = NameTable::hash(wanted.id);
        bool is_first = true;
        first_claims.visit(hash, [&](std::uint32_t other) {
            if (claims[other].wanted.id != wanted.id) return false;
            claims[other].is_contested = is_contested = true;
            is_first = false;
            return true;
        });
        if (is_first) first_claims.insert(hash, static_cast<std::uint32_t>(claims.size()));
        claims.push_back({at, wanted, is_contested});
    }
    for (const Claim& claim : claims) {
        Candidate& candidate = candidates_[claim.candidate];
        if (!claim.is_contested && give(candidate, claim.wanted.id, claim.wanted.kind)) continue;
        contested_.push_back(claim.candidate);
        digests_needed_.push_back(candidate.file);
    }
    std::ranges::sort(contested_, {}, [this](std::uint32_t at) { return candidates_[at].file; });
    std::ranges::sort(digests_needed_);
}

// The previous index knows a message of this name that has a content id, or several messages, in
// other files.
bool UniqueIdAssignment::was_twin(const Candidate& candidate) const {
    if (!same_policy_) return false;
    const std::optional<FileTable::Name> name = lookup_->name(candidate.base);
    if (!name) return false;
    return name->is_shared || previous_->message(name->position).id_kind == UniqueIdKind::content;
}

AssignedIds UniqueIdAssignment::finish(std::span<const ContentHash> digests) {
    ASSERT(digests.size() == digests_needed_.size());
    if (!contested_.empty()) {
        const std::vector<Contender> contending = contenders(digests);
        keep_known_content_ids(contending);
        for (const Contender& contender : contending) {
            if (had_wanted_id(contender)) give_wanted_id(contender);
        }
        for (const Contender& contender : contending) give_wanted_id(contender);
        give_content_ids(contending);
        retire_lost_ids();
    }
    AssignedIds assigned;
    assigned.messages.reserve(candidates_.size());
    for (const std::uint32_t at : in_number_order()) {
        const Candidate& candidate = candidates_[at];
        ASSERT(pop3::is_unique_id(candidate.id));
        assigned.messages.push_back({assigned.text.add(candidate.id), candidate.file,
                                     candidate.previous, candidate.id_kind});
    }
    add_retired_ids(assigned);
    return assigned;
}

// By hash: the smallest has the name's id, wherever and in whatever order the files are.
std::vector<UniqueIdAssignment::Contender> UniqueIdAssignment::contenders(
    std::span<const ContentHash> digests) {
    std::vector<Contender> contending;
    for (std::size_t at = 0; at < contested_.size(); ++at) {
        Candidate& candidate = candidates_[contested_[at]];
        contending.push_back({&candidate, digests[at], wanted_.of(candidate.base)});
    }
    std::ranges::sort(contending, [](const Contender& a, const Contender& b) {
        return std::tie(a.hash, a.candidate->base, a.candidate->inode) <
               std::tie(b.hash, b.candidate->base, b.candidate->inode);
    });
    return contending;
}

// After a move to another machine inodes tell nothing, but the content ids of that name's messages
// do.
void UniqueIdAssignment::keep_known_content_ids(std::span<const Contender> contending) {
    if (!same_policy_) return;
    std::uint32_t ordinal = 0;
    for (std::size_t at = 0; at < contending.size(); ++at) {
        if (at > 0 && contending[at].hash != contending[at - 1].hash) ordinal = 0;
        Candidate& candidate = *contending[at].candidate;
        while (candidate.id.empty()) {
            const auto known = previous_with_id(content_unique_id(contending[at].hash, ordinal));
            if (!known || previous_->message(*known).base != candidate.base) break;
            ++ordinal;
            give(candidate, previous_->listed(*known).unique_id, UniqueIdKind::content);
        }
    }
}

bool UniqueIdAssignment::had_wanted_id(const Contender& contender) const {
    const std::optional<std::uint32_t> previous = contender.candidate->previous;
    return previous && previous_->listed(*previous).unique_id == contender.wanted.id;
}

void UniqueIdAssignment::give_wanted_id(const Contender& contender) {
    if (!contender.candidate->id.empty()) return;
    give(*contender.candidate, contender.wanted.id, contender.wanted.kind);
}

void UniqueIdAssignment::give_content_ids(std::span<const Contender> contending) {
    std::uint32_t ordinal = 0;
    for (std::size_t at = 0; at < contending.size(); ++at) {
        if (at > 0 && contending[at].hash != contending[at - 1].hash) ordinal = 0;
        Candidate& candidate = *contending[at].candidate;
        while (candidate.id.empty()) {
            const std::string id = content_unique_id(contending[at].hash, ordinal++);
            if (taken_.contains(id)) continue;
            give(candidate, content_ids_.add(id), UniqueIdKind::content);
        }
    }
}

std::vector<std::uint32_t> UniqueIdAssignment::in_number_order() const {
    struct Place {
        NumberKey key;
        std::uint64_t inode;
        std::uint32_t at;
        auto operator<=>(const Place&) const = default;
    };
    std::vector<Place> places;
    places.reserve(candidates_.size());
    for (std::uint32_t at = 0; at < candidates_.size(); ++at) {
        places.push_back({wanted_.number_key(candidates_[at].base), candidates_[at].inode, at});
    }
    std::ranges::sort(places);
    std::vector<std::uint32_t> order;
    order.reserve(places.size());
    for (const Place& place : places) order.push_back(place.at);
    return order;
}

void UniqueIdAssignment::add_retired_ids(AssignedIds& assigned) {
    if (retired_.empty()) return;
    IdSet claimed(candidates_.size());
    for (const Candidate& candidate : candidates_) claimed.insert(wanted_.of(candidate.base).id);
    std::vector<RetiredId> kept;
    std::size_t unclaimed = 0;
    for (auto retired = retired_.rbegin(); retired != retired_.rend(); ++retired) {
        if (taken_.contains(retired->unique_id)) continue;  // its message came back
        const bool is_claimed = claimed.contains(retired->unique_id);
        if (!is_claimed && ++unclaimed > unclaimed_retired_ids_max) continue;
        kept.push_back(*retired);
    }
    std::ranges::reverse(kept);
    for (RetiredId& retired : kept) retired.unique_id = assigned.text.add(retired.unique_id);
    assigned.retired = std::move(kept);
}

}  // namespace restante
