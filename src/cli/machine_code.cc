#include "cli/machine_code.h"

#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include <array>

#include "base/bytes.h"

namespace skep::cli {
namespace {

ZydisFormatterFunc print_address = nullptr;  // Zydis's own

std::uint64_t address_of(std::span<const std::byte> code) { return reinterpret_cast<std::uintptr_t>(code.data()); }

struct Whole {
  std::span<const std::byte> bytes;
  const CodePlace& place;
};

// Targets within the program by their offset, others by their name.
ZyanStatus print_target(const ZydisFormatter* formatter, ZydisFormatterBuffer* buffer, ZydisFormatterContext* context) {
  const auto& within = *static_cast<const Whole*>(context->user_data);
  ZyanU64 target = 0;
  if (!ZYAN_SUCCESS(
          ZydisCalcAbsoluteAddress(context->instruction, context->operand, context->runtime_address, &target)))
    return print_address(formatter, buffer, context);
  const std::uint64_t offset = target - within.place.address;
  const bool is_outside = offset >= within.bytes.size();
  const std::string name = is_outside && within.place.name_of ? within.place.name_of(target) : "";
  if (is_outside && name.empty()) return print_address(formatter, buffer, context);
  ZyanString* text = nullptr;
  const ZyanStatus status = ZydisFormatterBufferGetString(buffer, &text);
  if (!ZYAN_SUCCESS(status)) return status;
  const std::string shown = is_outside ? name : fmt::format("+{:#x}", offset);
  ZyanStringView view;
  ZyanStringViewInsideBuffer(&view, shown.c_str());
  return ZyanStringAppend(text, &view);
}

class Printer {
 public:
  explicit Printer(Whole within) : within_(within) {
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    ZydisFormatterInit(&formatter_, ZYDIS_FORMATTER_STYLE_INTEL);
    ZydisFormatterSetProperty(&formatter_, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
    ZydisFormatterSetProperty(&formatter_, ZYDIS_FORMATTER_PROP_DISP_PADDING, ZYDIS_PADDING_DISABLED);
    ZydisFormatterSetProperty(&formatter_, ZYDIS_FORMATTER_PROP_IMM_PADDING, ZYDIS_PADDING_DISABLED);
    ZydisFormatterSetProperty(&formatter_, ZYDIS_FORMATTER_PROP_FORCE_SIZE, ZYAN_FALSE);
    auto hook = print_target;
    auto* function = reinterpret_cast<const void*>(hook);
    ZydisFormatterSetHook(&formatter_, ZYDIS_FORMATTER_FUNC_PRINT_ADDRESS_ABS, &function);
    print_address = reinterpret_cast<ZydisFormatterFunc>(const_cast<void*>(function));
  }

  MachineInsn next(std::span<const std::byte> code) {
    const auto offset = static_cast<std::uint32_t>(code.data() - within_.bytes.data());
    ZydisDecodedInstruction insn;
    std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, code.data(), code.size(), &insn, operands.data())))
      return {offset, code.first(1), fmt::format(".byte {:#04x}", std::to_integer<unsigned>(code[0]))};
    std::array<char, 128> text{};
    ZydisFormatterFormatInstruction(&formatter_, &insn, operands.data(), insn.operand_count_visible, text.data(),
                                    text.size(), within_.place.address + offset, &within_);
    return {offset, code.first(insn.length), text.data()};
  }

 private:
  Whole within_;
  ZydisDecoder decoder_{};
  ZydisFormatter formatter_{};
};

}  // namespace

std::vector<MachineInsn> machine_insns(std::span<const std::byte> code, std::span<const std::byte> within) {
  return machine_insns(code, within, {.address = address_of(within)});
}

std::vector<MachineInsn> machine_insns(std::span<const std::byte> code, std::span<const std::byte> within,
                                       const CodePlace& place) {
  Printer printer({within, place});
  std::vector<MachineInsn> list;
  while (!code.empty()) {
    list.push_back(printer.next(code));
    code = code.subspan(list.back().bytes.size());
  }
  return list;
}

std::vector<MachineInsn> table_entries(std::span<const std::byte> table, std::span<const std::byte> within) {
  const auto begin = static_cast<std::uint32_t>(table.data() - within.data());
  std::vector<MachineInsn> list;
  for (std::size_t at = 0; at + sizeof(std::uint32_t) <= table.size(); at += sizeof(std::uint32_t)) {
    const std::uint32_t target = begin + load<std::uint32_t>(table.data() + at);
    list.push_back({static_cast<std::uint32_t>(begin + at), table.subspan(at, sizeof target),
                    fmt::format(".table +{:#x}", target)});
  }
  return list;
}

}  // namespace skep::cli
