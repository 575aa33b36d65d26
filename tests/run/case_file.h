// Cases of running a program, as text that anyone can write: *.case files in this folder.
//
//   -- case  adjust_head makes room
//   -- prog  xdp
//   -- map   counts array 4 8 2            name, type, bytes of key and value, entries, [flags]
//   -- map   outer array_of_maps 4 4 1 inner=counts
//   -- put   counts 00 00 00 00 = 07 00 00 00 00 00 00 00     contents before the run; a value may be "prog NAME" or
//   "map NAME" r0 = 2                                 the program, in the words of isa/asm.h; map[counts] is the map
//   exit
//   -- also  other                         another program of the same type, for tail calls
//   ...
//   -- packet      02 00 ..                hexadecimal, may go on in the next lines; default: 64 bytes 00 01 02 .. with
//   an IPv4 type
//   -- context     mark=7                  fields of xdp_md or __sk_buff before the run
//   -- return      2
//   -- packet-out  02 00 ..                what must come out; "same": what went in
//   -- context-out mark=8
//   -- expect      counts 00 00 00 00 = 08 00 00 00 00 00 00 00
//   -- stop        outside                 the checked policy stops the program, with this in its words; runs there
//   only
//   -- no-kernel   why                     not judged by the kernel
//
// Whatever a case says, all engines must agree on return value, packet, context and maps.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "spec/types.h"

namespace skep::cases {

struct MapDeclaration {
  std::string name;
  spec::MapType type{};
  std::uint32_t key_size = 0, value_size = 0, max_entries = 0, flags = 0;
  std::string inner;
};

struct Element {
  std::string map;
  std::vector<std::byte> key, value;
  std::string object;  // "prog NAME" or "map NAME": the value is its descriptor
};

struct Case {
  std::string file, name;
  std::size_t line = 0;
  spec::ProgType type = spec::ProgType::Xdp;
  std::vector<MapDeclaration> maps;
  std::vector<Element> put, expect;
  std::map<std::string, std::string> programs;  // "": the one that is run
  std::vector<std::byte> packet, packet_out;
  bool check_packet = false;
  std::map<std::string, std::uint64_t> context, context_out;
  bool check_return = false;
  std::uint32_t returned = 0;
  std::string stop, no_kernel;
};

// Errors name file and line.
Result<std::vector<Case>> read_cases(const std::string& path);

}  // namespace skep::cases
