#include "bench/plan/report/html_report.h"

#include <gmock/gmock.h>

#include <fstream>
#include <regex>
#include <sstream>

#include "bench/plan/plan_report.h"
#include "bench/plan/report/report_assets.h"
#include "tests/support/small_trace.h"

namespace incipit::bench {
namespace {

using testing::HasSubstr;
using testing::Not;

PlanReport Report() {
  PlanOptions options{
      .trace_path = WriteSmallTrace("html_report_test"), .policies = {"lru", "min"}, .sizes_percent = {5, 20}};
  options.sizing.scope = SizingScope::kAll;
  absl::StatusOr<PlanReport> report = RunPlan(options, {});
  EXPECT_TRUE(report.ok()) << report.status();
  return report.ok() ? *std::move(report) : PlanReport();
}

std::string Between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin);
  if (from == std::string::npos) return "";
  const size_t to = text.find(end, from + begin.size());
  return to == std::string::npos ? "" : text.substr(from + begin.size(), to - from - begin.size());
}

std::string DataOf(const std::string& page) {
  return Between(page, "<script type=\"application/json\" id=\"plan-data\">", "</script>");
}

size_t CountOf(const std::string& text, const std::string& what) {
  size_t count = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++count;
  return count;
}

TEST(HtmlReportTest, TheDataBlockIsThePlansJson) {
  const PlanReport report = Report();
  const Json data = Json::parse(DataOf(PlanHtml(report)), nullptr, /*allow_exceptions=*/false);
  ASSERT_FALSE(data.is_discarded());
  EXPECT_EQ(data, PlanJson(report));
  EXPECT_TRUE(data.contains("recommendation"));
}

TEST(HtmlReportTest, EveryPartIsInItOnceAndNoPlaceholderIsLeft) {
  const std::string page = PlanHtml(Report());
  for (const std::string_view part : {kReportStyle, kReportScript, kChartLibrary}) {
    EXPECT_GT(part.size(), 1000u);
    EXPECT_EQ(CountOf(page, std::string(part)), 1u);
  }
  EXPECT_EQ(std::string(kReportTemplate).find("{{style}}") == std::string::npos, false);
  for (const char* name : {"{{style}}", "{{script}}", "{{data}}", "{{chart_library}}"}) {
    EXPECT_THAT(page, Not(HasSubstr(name)));
  }
  EXPECT_EQ(CountOf(page, "<script"), 3u);
  EXPECT_EQ(CountOf(page, "</script>"), 3u);
  EXPECT_LT(page.size(), 400'000u);
}

// Chart.js names its home page in comments; nothing else may name a place outside, and nothing is fetched.
TEST(HtmlReportTest, NothingIsFetchedFromAnywhere) {
  std::string page = PlanHtml(Report());
  const size_t library = page.find(kChartLibrary);
  ASSERT_NE(library, std::string::npos);
  page.erase(library, kChartLibrary.size());
  for (const char* what :
       {"http:", "https:", "//cdn", "src=", "@import", "url(", "fetch(", "XMLHttpRequest", "import("}) {
    EXPECT_THAT(page, Not(HasSubstr(what)));
  }
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  std::string code(kChartLibrary);
  code = std::regex_replace(code, std::regex("/\\*![^*]*\\*+([^/*][^*]*\\*+)*/"), "");
  EXPECT_THAT(code, Not(HasSubstr("https:")));
  EXPECT_THAT(code, Not(HasSubstr("fetch(")));
}

TEST(HtmlReportTest, TheScriptFindsEveryElementThatItNames) {
  const std::string page(kReportTemplate), script(kReportScript);
  const std::regex by_id("byId\\('(\\w+)'\\)");
  size_t names = 0;
  for (std::sregex_iterator at(script.begin(), script.end(), by_id), end; at != end; ++at, ++names) {
    EXPECT_THAT(page, HasSubstr("id=\"" + (*at)[1].str() + "\""));
  }
  EXPECT_GT(names, 15u);
}

TEST(HtmlReportTest, NamesThatLookLikeMarkupStayData) {
  PlanReport report = Report();
  report.options.trace_path = "</script><script>alert(1)</script><!-- {{script}} \xff.jsonl";
  const std::string page = PlanHtml(report);
  EXPECT_EQ(CountOf(page, "</script>"), 3u);
  EXPECT_EQ(CountOf(page, std::string(kReportScript)), 1u);
  const Json data = Json::parse(DataOf(page), nullptr, false);
  ASSERT_FALSE(data.is_discarded());
  EXPECT_THAT(data["source"].get<std::string>(), HasSubstr("</script><script>alert(1)"));
}

TEST(HtmlReportTest, FilesAreWrittenWholeOrNotAtAll) {
  const PlanReport report = Report();
  const std::string path = testing::TempDir() + "/html_report_test.html";
  ASSERT_TRUE(WritePlanHtml(report, path).ok());
  std::ostringstream read;
  read << std::ifstream(path).rdbuf();
  EXPECT_EQ(read.str(), PlanHtml(report));
  const absl::Status status = WritePlanHtml(report, "/nonexistent/report.html");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("--html /nonexistent/report.html"));
}

}  // namespace
}  // namespace incipit::bench
