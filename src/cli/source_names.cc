#include "cli/source_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "btf/print.h"
#include "isa/op.h"
#include "spec/helpers.h"

namespace skep::cli {

std::string SourceNames::helper(std::int32_t id) const {
  const spec::Helper* found = spec::find_helper(static_cast<std::uint32_t>(id));
  return found ? fmt::format("bpf_{}", found->name) : "";
}

const spec::FuncInfo* SourceNames::function_at(std::size_t index) const {
  const auto found = std::ranges::find(functions_, index, &spec::FuncInfo::insn_off);
  return found != functions_.end() && types_ && types_->has(found->type_id) ? &*found : nullptr;
}

std::string SourceNames::subprog(std::size_t index) const {
  const spec::FuncInfo* function = function_at(index);
  return function ? std::string(types_->type(function->type_id).name()) : "";
}

std::string SourceNames::prototype(std::size_t index) const {
  const spec::FuncInfo* function = function_at(index);
  return function ? btf::declare(*types_, function->type_id).value_or("") : "";
}

std::string SourceNames::source(std::size_t index) const {
  const auto line = std::ranges::find(lines_, index, &spec::LineInfo::insn_off);
  return line == lines_.end() ? "" : text_of(*line);
}

std::string SourceNames::text_of(const spec::LineInfo& line) const {
  if (!types_) return "";
  std::string_view text = types_->string(line.line_off).value_or(""),
                   file = types_->string(line.file_name_off).value_or("");
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  const std::uint32_t number = line.line_col >> 10, column = line.line_col & 0x3ff;
  return places_ == Places::Full ? fmt::format("{} [file:{} line_num:{} line_col:{}]", text, file, number, column)
                                 : fmt::format("{} @ {}:{}", text, file.substr(file.rfind('/') + 1), number);
}

nlohmann::json insns_json(std::span<const isa::Insn> insns, const isa::Names& names, const isa::PrintOptions& options) {
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = 0; i < insns.size(); i += isa::slots(isa::decode(insns[i]))) {
    nlohmann::json one = {{"index", i}, {"text", isa::to_text(insns, i, names, options)}};
    if (const std::string function = names.prototype(i); !function.empty()) one["function"] = function;
    if (const std::string source = names.source(i); !source.empty()) one["source"] = source;
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace skep::cli
