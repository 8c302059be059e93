#include "pop3/deletion_marks.h"

#include "base/assert.h"

namespace pop3 {

bool DeletionMarks::is_marked(MessageNumber number) const {
    ASSERT(exists(number));
    return !marks_.empty() && marks_[number.index()];
}

void DeletionMarks::mark(MessageNumber number, Octets octets) {
    ASSERT(!is_marked(number));
    if (marks_.empty()) marks_.resize(count_);
    marks_[number.index()] = true;
    ++marked_count_;
    marked_octets_ += octets;
}

void DeletionMarks::unmark_all() {
    marks_ = {};
    marked_count_ = 0;
    marked_octets_ = Octets();
}

}  // namespace pop3
