// Bugs of a store.
#include <string>
#include <vector>

#include "sim/canary.h"

namespace restante::sim {
namespace {

/// One session in so many has the bug, where it is of sessions.
constexpr std::uint64_t rarity = 4;

class CanaryMaildrop final : public Maildrop {
public:
    CanaryMaildrop(World& world, std::unique_ptr<Maildrop> inner, std::string user, Canary canary)
        : world_(world), inner_(std::move(inner)), user_(std::move(user)), canary_(canary) {
        for (std::uint32_t at = 0; at < inner_->count(); ++at)
            false_ids_.push_back("not-" + std::string(inner_->message(at).unique_id.substr(0, 60)));
        names_ = world_.messages(user_);
    }
    ~CanaryMaildrop() override {
        if (canary_ != Canary::removes_without_quit || has_committed_) return;
        const std::string folder = World::maildrop(user_) + "/new";
        if (!world_.files().exists(folder)) return;
        const std::vector<std::string> names = world_.files().list(folder);
        if (!names.empty()) world_.files().unlink(folder + "/" + names.front());
    }

    std::uint32_t count() const override {
        const bool hides = canary_ == Canary::hides_message && inner_->count() > 0;
        return inner_->count() - hides;
    }
    pop3::Octets octets() const override { return inner_->octets(); }
    MessageFacts message(std::uint32_t index) const override {
        MessageFacts facts = inner_->message(index);
        if (canary_ == Canary::wrong_octets) facts.octets = pop3::Octets(facts.octets.value() + 1);
        const bool is_false = canary_ == Canary::drifting_unique_id ||
                              (canary_ == Canary::changing_unique_id && ++told_ % 3 == 0);
        if (is_false) facts.unique_id = false_ids_[index];
        return facts;
    }
    std::uint32_t list(pop3::Listing listing, std::uint32_t first, const pop3::DeletionMarks& marks,
                       pop3::ListingWriter& lines) const override {
        for (; first < count() && lines.has_room(); ++first) {
            if (marks.is_marked(pop3::MessageNumber::at(first))) {
                if (canary_ != Canary::renumbers) lines.skip();
            } else if (listing == pop3::Listing::octets) {
                lines.add(message(first).octets);
            } else {
                lines.add(message(first).unique_id);
            }
        }
        return first;
    }
    Task<Result<MessageSource*>> open_message(std::uint32_t index) override {
        const bool is_refused =
            canary_ == Canary::gives_up_on_change && world_.messages(user_) != names_;
        if (is_refused) co_return std::unexpected(Error{ErrorKind::not_found, 0, "changed"});
        if (canary_ == Canary::sends_another) index = (index + 1) % inner_->count();
        Result<MessageSource*> opened = co_await inner_->open_message(index);
        co_return opened;
    }
    void close_message() override { inner_->close_message(); }
    Task<void> note_changed(std::uint32_t index) override { return inner_->note_changed(index); }
    Task<CommitOutcome> commit(const pop3::DeletionMarks& marks) override {
        has_committed_ = true;
        bool is_kept = canary_ == Canary::keeps_marked;
        bool is_changed = false;
        pop3::DeletionMarks others(marks.count());
        for (std::uint32_t at = 0; at < marks.count(); ++at) {
            const pop3::MessageNumber number = pop3::MessageNumber::at(at);
            const bool is_marked = marks.is_marked(number);
            const bool is_other =
                !is_changed && ((canary_ == Canary::removes_unmarked && !is_marked) ||
                                (canary_ == Canary::keeps_one && is_marked));
            is_changed = is_changed || is_other;
            if (is_marked != is_other) others.mark(number, inner_->message(at).octets);
        }
        CommitOutcome outcome = CommitOutcome::done;
        if (!is_kept) outcome = co_await inner_->commit(others);
        co_return outcome;
    }

private:
    World& world_;
    const std::unique_ptr<Maildrop> inner_;
    const std::string user_;
    const Canary canary_;
    std::vector<std::string> false_ids_;
    std::vector<std::string> names_;
    mutable std::uint64_t told_ = 0;
    bool has_committed_ = false;
};

class CanaryStore final : public Store {
public:
    CanaryStore(World& world, std::unique_ptr<Store> inner, Canary canary)
        : world_(world), inner_(std::move(inner)), canary_(canary) {}

    Task<OpenedMaildrop> open(MaildropOwner owner) override {
        const bool is_due = ++opened_ % rarity == 0;
        const std::string another = "user2";
        if (canary_ == Canary::opens_another && is_due) owner.user = another;
        OpenedMaildrop opened = co_await inner_->open(owner);
        if (!opened || !is_due) co_return opened;
        co_return std::make_unique<CanaryMaildrop>(world_, std::move(*opened),
                                                   std::string(owner.user), canary_);
    }

private:
    World& world_;
    const std::unique_ptr<Store> inner_;
    const Canary canary_;
    std::uint64_t opened_ = 0;
};

}  // namespace

std::unique_ptr<Store> make_canary_store(World& world, std::unique_ptr<Store> store,
                                         Canary canary) {
    return std::make_unique<CanaryStore>(world, std::move(store), canary);
}

}  // namespace restante::sim
