#include "maildir/index_file.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "base/assert.h"
#include "maildir/index_layout.h"
#include "maildir/maildir_name.h"

namespace restante {

using namespace index_layout;

namespace {

template <class Record>
Record read_record(const std::vector<char>& file, std::size_t at) {
    static_assert(std::is_trivially_copyable_v<Record>);
    Record record;
    std::memcpy(&record, file.data() + at, sizeof record);
    return record;
}

MessageRecord message_record(const std::vector<char>& file, std::uint32_t at) {
    return read_record<MessageRecord>(file, sizeof(Header) + at * sizeof(MessageRecord));
}

/// How far ahead of a walk over the records they are fetched: each is most of a line of the cache.
constexpr std::uint32_t records_ahead = 16;

void prefetch_record(const std::vector<char>& file, std::uint32_t at) {
    __builtin_prefetch(file.data() + sizeof(Header) + at * sizeof(MessageRecord));
}

IdentityRecord record_of(const FileIdentity& identity, bool is_trusted) {
    const std::uint64_t bits = (identity.exists ? exists_bit : 0) | (is_trusted ? trusted_bit : 0);
    return {identity.device,
            identity.inode,
            identity.octets,
            identity.modified_nanoseconds,
            identity.changed_nanoseconds,
            bits};
}

FileIdentity identity_of(const IdentityRecord& record) {
    return {(record.bits & exists_bit) != 0,
            record.device,
            record.inode,
            record.octets,
            record.modified_nanoseconds,
            record.changed_nanoseconds};
}

void set_trust(Header& header, const IndexTrust& trust) {
    header.fresh = record_of(trust.fresh.folder, trust.fresh.is_trusted);
    header.current = record_of(trust.current.folder, trust.current.is_trusted);
    header.dovecot_uidlist = record_of(trust.dovecot_uidlist, false);
    header.courier_sizelist = record_of(trust.courier_sizelist, false);
    header.policy = trust.policy;
    header.bits = trust.has_unmeasured ? unmeasured_bit : 0;
}

void store_header(std::vector<char>& file, Header header) {
    std::memcpy(file.data(), &header, sizeof header);
    header.checksum = checksum_of(file);
    std::memcpy(file.data(), &header, sizeof header);
}

template <class Record>
void append_record(std::vector<char>& octets, const Record& record) {
    const auto* first = reinterpret_cast<const char*>(&record);
    octets.insert(octets.end(), first, first + sizeof record);
}

}  // namespace

struct MaildropIndex::Layout {
    Header header;
    Sections sections;
};

bool same_folder(const FileIdentity& a, const FileIdentity& b) {
    if (!a.exists || !b.exists) return a.exists == b.exists;
    return a.device == b.device && a.inode == b.inode &&
           a.modified_nanoseconds == b.modified_nanoseconds &&
           a.changed_nanoseconds == b.changed_nanoseconds;
}

bool same_file(const FileIdentity& a, const FileIdentity& b) {
    if (!a.exists || !b.exists) return a.exists == b.exists;
    return a.device == b.device && a.inode == b.inode && a.octets == b.octets &&
           a.modified_nanoseconds == b.modified_nanoseconds;
}

bool holds(const IndexTrust& then, const IndexTrust& now) {
    const auto is_as_then = [](const FolderTrust& old, const FolderTrust& present) {
        return old.is_trusted && same_folder(old.folder, present.folder);
    };
    return !then.has_unmeasured && then.policy == now.policy && is_as_then(then.fresh, now.fresh) &&
           is_as_then(then.current, now.current) &&
           same_file(then.dovecot_uidlist, now.dovecot_uidlist) &&
           same_file(then.courier_sizelist, now.courier_sizelist);
}

MaildropIndex::MaildropIndex(std::vector<char> file, const Layout& layout)
    : file_(std::move(file)),
      count_(layout.header.count),
      retired_count_(layout.header.retired_count),
      octets_(layout.header.octets),
      retired_at_(layout.sections.retired_at),
      dots_at_(layout.sections.dots_at),
      text_at_(layout.sections.text_at) {}

std::shared_ptr<const MaildropIndex> MaildropIndex::decode(std::vector<char> file) {
    const std::optional<Header> header = checked_header(file);
    if (!header) return nullptr;
    const std::optional<Sections> sections = sections_of(*header);
    if (!sections || !is_content_valid(file, *header, *sections)) return nullptr;
    return std::make_shared<const MaildropIndex>(std::move(file), Layout{*header, *sections});
}

IndexedMessage MaildropIndex::message(std::uint32_t at) const {
    ASSERT(at < count_);
    const MessageRecord record = message_record(file_, at);
    const std::string_view name = text(record.name_at, record.name_octets);
    return {name,
            name.substr(0, record.base_octets),
            text(record.id_at(), record.id_octets),
            record.is_current != 0 ? Folder::current : Folder::fresh,
            static_cast<UniqueIdKind>(record.id_kind),
            record.is_wire_ready != 0,
            record.inode,
            record.stored_octets,
            pop3::Octets(record.octets),
            record.header_octets,
            {record.modified_nanoseconds}};
}

MaildropIndex::Listed MaildropIndex::listed(std::uint32_t at) const {
    ASSERT(at < count_);
    const MessageRecord record = message_record(file_, at);
    return {pop3::Octets(record.octets), text(record.id_at(), record.id_octets)};
}

std::uint64_t MaildropIndex::inode(std::uint32_t at) const {
    ASSERT(at < count_);
    return message_record(file_, at).inode;
}

bool MaildropIndex::is_measured(std::uint32_t at) const {
    ASSERT(at < count_);
    return message_record(file_, at).stored_octets != unmeasured;
}

std::uint32_t MaildropIndex::list(pop3::Listing listing, std::uint32_t first,
                                  const pop3::DeletionMarks& marks,
                                  pop3::ListingWriter& lines) const {
    const bool has_marks = marks.marked_count() > 0;
    std::uint32_t at = first;
    for (; at < count_ && lines.has_room(); ++at) {
        prefetch_record(file_, std::min(at + records_ahead, count_ - 1));
        const MessageRecord record = message_record(file_, at);
        if (has_marks && marks.is_marked(pop3::MessageNumber::at(at))) {
            lines.skip();
        } else if (listing == pop3::Listing::octets) {
            lines.add(pop3::Octets(record.octets));
        } else {
            lines.add(text(record.id_at(), record.id_octets));
        }
    }
    return at;
}

pop3::MessageMeasure MaildropIndex::measure(std::uint32_t at) const {
    ASSERT(at < count_);
    const MessageRecord record = message_record(file_, at);
    pop3::MessageMeasure measure;
    measure.stored_octets = record.stored_octets;
    measure.octets = pop3::Octets(record.octets);
    measure.header_octets = record.header_octets;
    measure.wire_ready = record.is_wire_ready != 0;
    if (record.dots_after == 0) return measure;
    const std::size_t dots = dots_at_ + (record.dots_after - 1) * sizeof(std::uint64_t);
    measure.stuffed_dots = read_record<std::uint64_t>(file_, dots);
    const std::size_t recorded = recorded_dots(measure.stuffed_dots);
    std::memcpy(measure.stuffed_dot_at.data(), file_.data() + dots + sizeof(std::uint64_t),
                recorded * sizeof(std::uint64_t));
    return measure;
}

IndexTrust MaildropIndex::trust() const {
    const auto header = read_record<Header>(file_, 0);
    return {{identity_of(header.fresh), (header.fresh.bits & trusted_bit) != 0},
            {identity_of(header.current), (header.current.bits & trusted_bit) != 0},
            identity_of(header.dovecot_uidlist),
            identity_of(header.courier_sizelist),
            header.policy,
            (header.bits & unmeasured_bit) != 0};
}

std::uint32_t MaildropIndex::generation() const { return read_record<Header>(file_, 0).generation; }

std::shared_ptr<const MaildropIndex> MaildropIndex::with_trust(const IndexTrust& trust) const {
    std::vector<char> file = file_;
    auto header = read_record<Header>(file, 0);
    set_trust(header, trust);
    store_header(file, header);
    return std::make_shared<const MaildropIndex>(std::move(file),
                                                 Layout{header, *sections_of(header)});
}

RetiredId MaildropIndex::retired(std::uint32_t at) const {
    ASSERT(at < retired_count_);
    const auto record = read_record<RetiredRecord>(file_, retired_at_ + at * sizeof(RetiredRecord));
    return {text(record.id_at, record.id_octets), record.inode};
}

bool MaildropIndex::is_irreplaceable() const {
    if (retired_count_ > 0) return true;
    for (std::uint32_t at = 0; at < count_; ++at)
        if (message(at).id_kind == UniqueIdKind::content) return true;
    return false;
}

std::uint32_t next_generation(std::uint32_t previous, WallTime now) {
    static constexpr std::int64_t nanoseconds_a_second = 1'000'000'000;
    const std::int64_t seconds = now.nanoseconds / nanoseconds_a_second;
    const std::int64_t next = std::max<std::int64_t>(std::int64_t{previous} + 1, seconds);
    return static_cast<std::uint32_t>(std::min<std::int64_t>(next, UINT32_MAX));
}

IndexBuilder::IndexBuilder(std::size_t messages_expected, std::size_t text_octets_expected) {
    file_.reserve(sizeof(Header) + messages_expected * sizeof(MessageRecord) +
                  text_octets_expected);
    file_.resize(sizeof(Header));
    text_.reserve(text_octets_expected);
}

std::uint32_t IndexBuilder::add_text(std::string_view text) {
    const std::size_t at = text_.size();
    ASSERT(at + text.size() <= UINT32_MAX);
    text_.insert(text_.end(), text.begin(), text.end());
    return static_cast<std::uint32_t>(at);
}

// 0, or one more than the position of the count that the positions follow.
std::uint32_t IndexBuilder::add_dots(const pop3::MessageMeasure& measure) {
    if (measure.stuffed_dots == 0) return 0;
    dots_.push_back(measure.stuffed_dots);
    const auto after = static_cast<std::uint32_t>(dots_.size());
    const auto recorded =
        std::span(measure.stuffed_dot_at).first(recorded_dots(measure.stuffed_dots));
    dots_.insert(dots_.end(), recorded.begin(), recorded.end());
    return after;
}

void IndexBuilder::add(const NewIndexedMessage& message, const pop3::MessageMeasure& measure) {
    MessageRecord record{};
    record.modified_nanoseconds = message.modified.nanoseconds;
    record.stored_octets = std::min(measure.stored_octets, message_octets_max);
    record.octets = std::min(measure.octets.value(), message_octets_max);
    record.header_octets = std::min(measure.header_octets, message_octets_max);
    record.is_wire_ready = measure.wire_ready ? 1 : 0;
    record.dots_after = add_dots(measure);
    describe(message, record);
}

void IndexBuilder::add(const NewIndexedMessage& message, const MaildropIndex& other,
                       std::uint32_t at) {
    MessageRecord record = message_record(other.file_, at);
    if (record.dots_after != 0) record.dots_after = add_dots(other.measure(at));
    describe(message, record);
}

void IndexBuilder::add(const MaildropIndex& other, std::uint32_t at) {
    MessageRecord record = message_record(other.file_, at);
    if (record.dots_after != 0) record.dots_after = add_dots(other.measure(at));
    const std::size_t id_octets = record.id_follows != 0 ? record.id_octets : 0;
    record.name_at = add_text(other.text(record.name_at, record.name_octets + id_octets));
    append(record);
}

// `record` tells what was measured.
void IndexBuilder::describe(const NewIndexedMessage& message, MessageRecord record) {
    ASSERT(!message.name.empty() && message.name.size() <= file_name_octets_max);
    ASSERT(pop3::is_unique_id(message.unique_id));
    const bool id_follows = !message.name.starts_with(message.unique_id);
    record.inode = message.inode;
    record.name_at = add_text(message.name);
    if (id_follows) add_text(message.unique_id);
    record.id_follows = id_follows ? 1 : 0;
    record.name_octets = message.name.size();
    record.base_octets = base_name(message.name).size();
    record.id_octets = message.unique_id.size();
    record.id_kind = static_cast<std::uint64_t>(message.id_kind);
    record.is_current = message.folder == Folder::current ? 1 : 0;
    append(record);
}

void IndexBuilder::append(const MessageRecord& record) {
    ASSERT(count_ < indexed_messages_max);
    append_record(file_, record);
    if (record.stored_octets == unmeasured) has_unmeasured_ = true;
    octets_ += record.octets;
    ++count_;
}

void IndexBuilder::retire(const RetiredId& retired) {
    ASSERT(pop3::is_unique_id(retired.unique_id));
    append_record(retired_, RetiredRecord{retired.inode, add_text(retired.unique_id),
                                          static_cast<std::uint32_t>(retired.unique_id.size())});
    ++retired_count_;
}

std::shared_ptr<const MaildropIndex> IndexBuilder::build(const IndexTrust& trust,
                                                         std::uint32_t generation) {
    Header header{};
    std::memcpy(header.magic, magic.data(), magic.size());
    header.byte_order = byte_order_mark;
    header.version = format_version;
    header.octets = octets_;
    header.count = count_;
    header.retired_count = retired_count_;
    header.dot_numbers = static_cast<std::uint32_t>(dots_.size());
    header.text_octets = static_cast<std::uint32_t>(text_.size());
    header.generation = generation;
    set_trust(header, trust);
    const std::optional<Sections> sections = sections_of(header);
    ASSERT(sections.has_value());
    file_.reserve(sections->end);  // if too little was expected
    const auto store = [this](const auto& part) {
        const auto octets = std::as_bytes(std::span(part));
        const auto* first = reinterpret_cast<const char*>(octets.data());
        file_.insert(file_.end(), first, first + octets.size());
    };
    store(retired_);
    store(dots_);
    store(text_);
    ASSERT(file_.size() == sections->end);
    store_header(file_, header);
    return std::make_shared<const MaildropIndex>(std::move(file_),
                                                 MaildropIndex::Layout{header, *sections});
}

IndexLookup::IndexLookup(std::shared_ptr<const MaildropIndex> index)
    : index_(std::move(index)), files_(index_->count()) {
    for (std::uint32_t at = 0; at < index_->count(); ++at) {
        const IndexedMessage message = index_->message(at);
        files_.add(message.base, message.inode, at);
    }
}

}  // namespace restante
