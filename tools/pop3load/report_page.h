#pragma once
/// The page of report/, put together when building (embed_report.py).

#include <string_view>

namespace pop3load {

/// The JSON report goes between the two.
struct ReportPage {
    std::string_view before;
    std::string_view after;
};

ReportPage report_page();

}  // namespace pop3load
