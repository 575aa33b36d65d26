#include <fmt/format.h>

#include <iterator>

#include "isa/cfg.h"

namespace skep::isa {
namespace {

// Text inside a quoted Graphviz string: lines end in \l, which sets them left.
std::string quoted(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\l";
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) >= ' ') {
      out += c;
    }
  }
  return out;
}

void put_block(std::string& out, const Cfg& cfg, BlockId id, std::span<const Insn> program, const Names& names,
               const PrintOptions& options) {
  const Block& block = cfg.blocks[id];
  std::string lines;
  for (std::size_t at = block.begin; at < block.end;) at += print(lines, program, at, names, options);
  fmt::format_to(std::back_inserter(out), "    b{} [label=\"{}\"{}];\n", id, quoted(lines),
                 block.reachable ? "" : ",style=dashed,color=gray");
  for (const Edge& edge : block.successors)
    fmt::format_to(std::back_inserter(out), "    b{} -> b{}{};\n", id, edge.to,
                   edge.kind == EdgeKind::Taken && block.successors.size() > 1 ? " [label=\"taken\"]" : "");
}

void put_subprog(std::string& out, const Cfg& cfg, SubprogId id, std::span<const Insn> program, const Names& names,
                 const PrintOptions& options) {
  const std::size_t begin = cfg.subprogs[id].begin;
  const std::string name = names.subprog(begin);
  fmt::format_to(std::back_inserter(out), "  subgraph cluster_{} {{\n    label=\"{}\";\n", id,
                 quoted(name.empty() ? fmt::format("subprogram {} at {}", id, begin) : name));
  const auto end = static_cast<BlockId>(id + 1 < cfg.subprogs.size() ? cfg.subprogs[id + 1].entry : cfg.blocks.size());
  for (BlockId block = cfg.subprogs[id].entry; block < end; ++block)
    put_block(out, cfg, block, program, names, options);
  out += "  }\n";
}

}  // namespace

std::string to_dot(const Cfg& cfg, std::span<const Insn> program, const Names& names, const PrintOptions& options) {
  std::string out = "digraph program {\n  node [shape=box,fontname=monospace];\n";
  for (SubprogId id = 0; id < cfg.subprogs.size(); ++id) put_subprog(out, cfg, id, program, names, options);
  return out + "}\n";
}

}  // namespace skep::isa
