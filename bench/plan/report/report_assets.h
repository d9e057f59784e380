// The files that a report is made of, compiled in: see cmake/Embed.cmake.
#pragma once

#include <string_view>

namespace incipit::bench {

extern const std::string_view kReportTemplate;  // report.html, with {{style}}, {{script}}, {{data}}, {{chart_library}}
extern const std::string_view kReportStyle;     // report.css
extern const std::string_view kReportScript;    // report.js
extern const std::string_view kChartLibrary;    // third_party/chart.js

}  // namespace incipit::bench
