# The files of the planner's report, compiled into the binary, so that it needs nothing beside itself.
function(incipit_embed variable path)
  file(READ ${CMAKE_SOURCE_DIR}/${path} content)
  set(${variable} "${content}" PARENT_SCOPE)
  set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${path})
endfunction()

incipit_embed(EMBEDDED_TEMPLATE bench/plan/report/report.html)
incipit_embed(EMBEDDED_STYLE bench/plan/report/report.css)
incipit_embed(EMBEDDED_SCRIPT bench/plan/report/report.js)
incipit_embed(EMBEDDED_CHART_LIBRARY third_party/chart.js/chart.min.js)
configure_file(${CMAKE_SOURCE_DIR}/bench/plan/report/report_assets.cc.in ${CMAKE_BINARY_DIR}/report_assets.cc @ONLY)
target_sources(incipit_bench PRIVATE ${CMAKE_BINARY_DIR}/report_assets.cc)
