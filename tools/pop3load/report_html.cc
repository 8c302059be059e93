#include "report_html.h"

#include "report_json.h"
#include "report_page.h"

namespace pop3load {

std::string html_report(const Results& results) {
    const ReportPage page = report_page();
    std::string text(page.before);
    text += json_report(results);  // JsonWriter escapes what could end the script element
    text += page.after;
    return text;
}

}  // namespace pop3load
