// SPDX-License-Identifier: Apache-2.0
#include "sim/report/report.h"

#include <string_view>

namespace npusim::sim {
namespace report {

// Written by cmake/EmbedFiles.cmake.
extern const std::string_view chart_js;
extern const std::string_view page_css;
extern const std::string_view page_js;
extern const std::string_view tables_js;
extern const std::string_view charts_js;
extern const std::string_view sections_js;
extern const std::string_view sweep_js;
extern const std::string_view training_js;

}  // namespace report

namespace {

/// JSON inside a <script>: no text in it may end the element.
std::string for_script(std::string text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '<')
      out += "\\u003c";
    else
      out += c;
  }
  return out;
}

std::string script(std::string_view source) {
  return "<script>\n" + std::string(source) + "</script>\n";
}

}  // namespace

std::string html_of(const base::JsonValue& result) {
  std::string page =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>npusim report</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n" +
      std::string(report::page_css) +
      "</style>\n</head>\n<body>\n<main></main>\n"
      "<script type=\"application/json\" id=\"result\">" +
      for_script(base::dump_json(result, -1)) + "</script>\n";
  for (const std::string_view source :
       {report::chart_js, report::tables_js, report::charts_js, report::sections_js,
        report::sweep_js, report::training_js, report::page_js})
    page += script(source);
  return page + "</body>\n</html>\n";
}

}  // namespace npusim::sim
