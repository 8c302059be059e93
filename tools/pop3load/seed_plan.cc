#include "seed_plan.h"

#include <algorithm>

#include "base/assert.h"
#include "schedule.h"

namespace pop3load {
namespace {

/// What a file takes is a multiple of this.
constexpr std::uint64_t block_octets = 4096;
/// Of a name in its folder.
constexpr std::uint64_t entry_octets = 128;
/// A maildrop, and new, cur and tmp in it.
constexpr std::uint64_t folders_per_maildrop = 4;
constexpr std::uint64_t pool_stream = UINT64_MAX;
/// ext4's EXT4_LINK_MAX; then the pool makes another file.
constexpr std::uint64_t links_per_file = 65'000;

/// One step of splitmix64 from `left`, disturbed by `right`.
std::uint64_t mixed(std::uint64_t left, std::uint64_t right) {
    return Random(left ^ (right * 0xd1342543de82ef95 + 0x2545f4914f6cdd1d)).next();
}

bool has_mail(const SeedOptions& options, std::size_t maildrop) {
    return maildrop < pool_counts(options.user_count, options.has_retry_pool)[0];
}

std::uint64_t in_blocks(std::uint64_t octets) {
    return (octets + block_octets - 1) / block_octets * block_octets;
}

}  // namespace

MaildropPlan::MaildropPlan(const SeedOptions& options, std::size_t maildrop)
    : options_(options),
      stream_(mixed(options.seed, maildrop)),
      random_(stream_),
      count_(has_mail(options, maildrop) ? options.counts.sample(random_) : 0) {}

PlannedMessage MaildropPlan::next() {
    ASSERT(drawn_ < count_);
    const std::uint64_t identity = mixed(stream_, drawn_++);
    return {identity, std::max(options_.sizes.sample(random_), seed_octets_min)};
}

std::uint64_t MaildropPlan::pool_start(std::uint64_t pool_messages) {
    return random_.below(pool_messages);
}

std::vector<PlannedMessage> plan_pool(const SeedOptions& options, std::uint64_t messages) {
    const std::uint64_t stream = mixed(options.seed, pool_stream);
    Random random(stream);
    std::vector<PlannedMessage> planned;
    planned.reserve(messages);
    for (std::uint64_t i = 0; i < messages; ++i) {
        planned.push_back(
            {mixed(stream, i), std::max(options.sizes.sample(random), seed_octets_min)});
    }
    return planned;
}

SeedTotals plan_totals(const SeedOptions& options) {
    SeedTotals totals;
    std::uint64_t fullest = 0;
    for (std::uint32_t i = 0; i < options.user_count; ++i) {
        MaildropPlan plan(options, i);
        totals.messages += plan.count();
        fullest = std::max(fullest, plan.count());
        if (options.pool_messages > 0) continue;
        for (std::uint64_t n = 0; n < plan.count(); ++n) {
            const std::uint64_t octets = plan.next().octets;
            totals.octets += octets;
            totals.stored_octets += in_blocks(octets);
        }
    }
    totals.files = totals.messages;
    if (options.pool_messages > 0) {
        totals.pool_messages = std::max<std::uint64_t>(options.pool_messages, fullest);
        for (const PlannedMessage& message : plan_pool(options, totals.pool_messages)) {
            totals.octets += message.octets;
            totals.stored_octets += in_blocks(message.octets);
        }
        const std::uint64_t links_each = totals.messages / totals.pool_messages;
        totals.stored_octets *= 1 + links_each / links_per_file;
        totals.files = totals.pool_messages * (1 + links_each / links_per_file);
        totals.octets = static_cast<std::uint64_t>(static_cast<double>(totals.octets) /
                                                   static_cast<double>(totals.pool_messages) *
                                                   static_cast<double>(totals.messages));
    }
    const std::uint64_t folders = folders_per_maildrop * options.user_count;
    totals.files += folders;
    totals.stored_octets += folders * block_octets + totals.messages * entry_octets;
    return totals;
}

}  // namespace pop3load
