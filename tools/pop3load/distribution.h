#pragma once
/// What sizes and counts are drawn from: values with weights, from a file or a table built in.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "random.h"

namespace pop3load {

class Distribution {
public:
    struct Row {
        std::uint64_t value;
        double weight;  ///< > 0; the weights need not add up to anything
    };
    /// At least one row.
    explicit Distribution(std::vector<Row> rows);
    /// Always `value`.
    static Distribution constant(std::uint64_t value);
    /// Lines "VALUE WEIGHT"; `#` begins a comment. The error names the line.
    static std::expected<Distribution, std::string> parse(std::string_view text);
    /// SPECmail2001's message sizes, octets.
    static Distribution specmail_sizes();
    /// SPECmail2001's messages in a maildrop.
    static Distribution specmail_counts();

    std::uint64_t sample(Random& random) const;
    double mean() const;
    const std::vector<Row>& rows() const { return rows_; }

private:
    std::vector<Row> rows_;
    std::vector<double> cumulative_;  // as long as rows_, the last one 1
};

}  // namespace pop3load
