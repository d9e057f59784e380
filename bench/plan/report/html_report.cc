#include "bench/plan/report/html_report.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string_view>

#include "bench/plan/plan_report.h"
#include "bench/plan/report/report_assets.h"

namespace incipit::bench {
namespace {

// Inside <script> nothing may look like its end, or like a comment; \u003c is the same to JSON.
std::string DataOf(const PlanReport& report) {
  const std::string json = PlanJson(report).dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string data;
  data.reserve(json.size());
  for (const char c : json) {
    if (c == '<') {
      data += "\\u003c";
    } else {
      data += c;
    }
  }
  return data;
}

}  // namespace

std::string PlanHtml(const PlanReport& report) {
  const std::string data = DataOf(report);
  const std::pair<std::string_view, std::string_view> fields[] = {{"{{style}}", kReportStyle},
                                                                  {"{{data}}", data},
                                                                  {"{{chart_library}}", kChartLibrary},
                                                                  {"{{script}}", kReportScript}};
  // In the order of the page, each once: what is put in is not looked at again.
  std::string_view rest = kReportTemplate;
  std::string page;
  for (const auto& [name, text] : fields) {
    const size_t at = rest.find(name);
    if (at == std::string_view::npos) continue;  // a test holds the template to its fields
    page.append(rest.substr(0, at)).append(text);
    rest.remove_prefix(at + name.size());
  }
  return page.append(rest);
}

absl::Status WritePlanHtml(const PlanReport& report, const std::string& path) {
  const std::string temporary = path + ".new";
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  file << PlanHtml(report) << std::flush;
  if (file && std::rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const int error = errno;
  file.close();
  std::remove(temporary.c_str());
  return absl::InvalidArgumentError(fmt::format("--html {}: cannot be written: {}", path, std::strerror(error)));
}

}  // namespace incipit::bench
