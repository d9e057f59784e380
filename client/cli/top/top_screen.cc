#include "client/cli/top/top_screen.h"

#include <algorithm>

#include "absl/strings/str_join.h"
#include "client/cli/doctor/units.h"
#include "fmt/format.h"

namespace incipit {
namespace {

constexpr size_t kMaxNameColumns = 24;
constexpr size_t kBarColumns = 10;
constexpr char kNothing[] = "-";

// Printable ASCII, and not too long.
std::string Shown(const std::string& name) {
  std::string text = name.substr(0, kMaxNameColumns);
  for (char& c : text) {
    if (c < 0x20 || c > 0x7e) c = '?';
  }
  return text.empty() ? kNothing : text;
}

std::string Percent(const std::optional<double>& ratio) {
  return ratio.has_value() ? fmt::format("{:.1f} %", 100 * *ratio) : kNothing;
}

// "[####------] 41 % of 64 GiB".
std::string Filled(uint64_t used, uint64_t capacity) {
  if (capacity == 0) return kNothing;
  const double share = std::min(1.0, static_cast<double>(used) / static_cast<double>(capacity));
  const auto full = static_cast<size_t>(share * kBarColumns + 0.5);
  return fmt::format("[{}{}] {:3.0f} % of {}", std::string(full, '#'), std::string(kBarColumns - full, '-'),
                     100 * share, FormatBytes(capacity));
}

std::string Count(double per_s) { return per_s < 10 ? fmt::format("{:.1f}", per_s) : fmt::format("{:.0f}", per_s); }

// Rows of cells as lines of at most `columns` columns. The first `left` cells of a row are aligned to the left.
std::vector<std::string> LinesOf(const std::vector<std::vector<std::string>>& rows, size_t left, size_t columns) {
  std::vector<size_t> widths(rows.front().size(), 0);
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  size_t shown = 0;
  for (size_t width = 0; shown < widths.size(); ++shown) {
    width += widths[shown] + (shown == 0 ? 0 : 2);
    if (columns != 0 && width > columns && shown > 0) break;
  }
  std::vector<std::string> lines;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < std::min(shown, row.size()); ++i) {
      if (i > 0) line += "  ";
      // A row that ends early has text of its own in its last cell.
      const bool last = i + 1 == row.size() && row.size() < widths.size();
      line += last       ? row[i]
              : i < left ? fmt::format("{:<{}}", row[i], widths[i])
                         : fmt::format("{:>{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    lines.push_back(std::move(line));
  }
  return lines;
}

// The first `most` of `rows` beside its head; the others are counted. 0 = no limit.
void Cut(const char* what, size_t most, std::vector<std::vector<std::string>>* rows, std::string* rest) {
  if (most == 0 || rows->size() <= most + 1) return;
  *rest = fmt::format("{} more {}", rows->size() - 1 - most, what);
  rows->resize(most + 1);
}

std::vector<std::string> NodeRow(const NodeView& node) {
  if (!node.answers) return {Shown(node.name), "away"};
  if (!node.whole) return {Shown(node.name), Shown(node.state)};
  return {Shown(node.name),
          Shown(node.state),
          FormatRate(node.load_bytes_per_s),
          FormatRate(node.store_bytes_per_s),
          Percent(node.matched.Ratio()),
          Filled(node.ram_bytes, node.ram_capacity_bytes),
          node.nvme_state == "suspended" ? "out of service" : Filled(node.nvme_bytes, node.nvme_capacity_bytes),
          Count(node.keys_per_s),
          Count(node.busy_per_s),
          fmt::format("{}", node.blocks),
          fmt::format("{}", node.sessions),
          fmt::format("{}", node.errors),
          Percent(node.matched.RatioEver())};
}

std::vector<std::string> TenantRow(const TenantView& tenant) {
  return {Shown(tenant.tenant),
          Percent(tenant.matched.Ratio()),
          Count(tenant.keys_per_s),
          FormatRate(tenant.load_bytes_per_s),
          FormatBytes(tenant.stored_bytes),
          fmt::format("{}", tenant.blocks),
          Percent(tenant.matched.RatioEver())};
}

std::vector<std::string> PrefixRow(const HotPrefix& prefix) {
  return {
      prefix.key_start,
      Shown(prefix.tenant),
      fmt::format("{}", prefix.tokens),
      FormatRate(static_cast<double>(prefix.bytes_per_s)),
      fmt::format("{}", prefix.blocks),
      fmt::format("{}", prefix.copies),
      Shown(prefix.model),
      prefix.nodes.size() > 2 ? fmt::format("{} nodes", prefix.nodes.size()) : Shown(absl::StrJoin(prefix.nodes, ","))};
}

std::string Title(const TopView& view, const std::string& time) {
  const auto count = [&](const auto& wanted) { return std::count_if(view.nodes.begin(), view.nodes.end(), wanted); };
  const auto away = count([](const NodeView& node) { return !node.answers; });
  std::string title = fmt::format("incipit top  {}  {} nodes, {} serving", time, view.nodes.size(),
                                  count([](const NodeView& node) { return node.state == "serving"; }));
  if (away > 0) title += fmt::format(", {} away", away);
  if (view.epoch != 0) title += fmt::format("  epoch {}", view.epoch);
  return title;
}

void Append(std::vector<std::string> lines, const std::string& rest, std::vector<std::string>* out) {
  out->emplace_back();
  for (std::string& line : lines) out->push_back(std::move(line));
  if (!rest.empty()) out->push_back(rest);
}

}  // namespace

std::string FormatRate(double bytes_per_s) {
  static constexpr const char* kUnits[] = {"B/s", "kB/s", "MB/s", "GB/s", "TB/s"};
  if (!(bytes_per_s >= 0.5)) return "0";
  size_t unit = 0;
  while (bytes_per_s >= 999.5 && unit + 1 < std::size(kUnits)) {
    bytes_per_s /= 1000;
    ++unit;
  }
  return fmt::format("{:.3g} {}", bytes_per_s, kUnits[unit]);
}

std::vector<std::string> TopLines(const TopView& view, const std::string& time, ScreenSize size) {
  // Title, three blank lines and heads, and a line for the rest of each list, are there anyway.
  const size_t rows = size.rows == 0 ? 0 : std::max<size_t>(size.rows, 14) - 11;
  std::vector<std::string> lines = {Title(view, time)};
  std::string rest;

  std::vector<std::vector<std::string>> nodes = {{"node", "state", "load", "store", "hits", "RAM", "NVMe", "keys/s",
                                                  "busy/s", "blocks", "sessions", "errors", "hits ever"}};
  for (const NodeView& node : view.nodes) nodes.push_back(NodeRow(node));
  Cut("nodes", rows / 2, &nodes, &rest);
  if (view.nodes.size() > 1 && view.total.answers) nodes.push_back(NodeRow(view.total));
  Append(LinesOf(nodes, 4, size.columns), rest, &lines);

  rest.clear();
  const size_t left = rows == 0 ? 0 : rows - std::min(rows / 2, view.nodes.size());
  std::vector<std::vector<std::string>> tenants = {
      {"tenant", "hits", "keys/s", "load", "stored", "blocks", "hits ever"}};
  for (const TenantView& tenant : view.tenants) tenants.push_back(TenantRow(tenant));
  Cut("tenants", left / 2, &tenants, &rest);
  Append(LinesOf(tenants, 1, size.columns), rest, &lines);

  rest.clear();
  std::vector<std::vector<std::string>> prefixes = {
      {"hottest prefixes", "tenant", "tokens", "load", "blocks", "copies", "model", "at"}};
  for (const HotPrefix& prefix : view.prefixes) prefixes.push_back(PrefixRow(prefix));
  Cut("prefixes", rows == 0 ? 0 : left - std::min(left / 2, view.tenants.size()), &prefixes, &rest);
  Append(LinesOf(prefixes, 2, size.columns), rest, &lines);

  for (const NodeView& node : view.nodes) {
    if (!node.answers) lines.push_back(fmt::format("{}: {}", Shown(node.name), node.error));
  }
  for (std::string& line : lines) {
    if (size.columns != 0 && line.size() > size.columns) line.resize(size.columns);
    for (char& c : line) {
      if (c < 0x20 || c > 0x7e) c = '?';
    }
  }
  if (size.rows != 0 && lines.size() > size.rows) lines.resize(size.rows);
  return lines;
}

}  // namespace incipit
