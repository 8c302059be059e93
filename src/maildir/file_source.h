#pragma once
/// A message that is a file, opened for sending.

#include <optional>
#include <span>
#include <utility>

#include "base/slab.h"
#include "maildir/store.h"
#include "ring/ring.h"

namespace restante {

class FileSource final : public MessageSource, public FromSlab {
public:
    /// `modified`: of the file as it is now. `is_as_measured`: nothing was written to it since
    /// `measure` was taken.
    FileSource(Handle file, WallTime modified, const pop3::MessageMeasure& measure,
               bool is_as_measured)
        : file_(std::move(file)),
          modified_(modified),
          is_as_measured_(is_as_measured),
          measure_(measure) {}
    const pop3::MessageMeasure& measure() const override { return measure_; }
    bool is_as_measured() const override { return is_as_measured_; }
    WallTime modified() const override { return modified_; }
    Request read(std::uint64_t offset, std::span<char> target) override {
        return Request::read(file_.get(), target, offset);
    }
    std::optional<int> file() const override { return file_.get(); }

private:
    Handle file_;
    const WallTime modified_;
    const bool is_as_measured_;
    const pop3::MessageMeasure measure_;
};

}  // namespace restante
