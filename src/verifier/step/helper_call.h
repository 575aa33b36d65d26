// The parts of a helper call; behind walk.h's step_helper_call(), for the steps in this folder only.
//
// A call is checked from the frame (may this program call it, here?) over the arguments to what is particular to the
// helper; then r1 to r5 hold nothing and r0 what the row of spec/helpers.def says. Tested by:
// verifier/explore/helper_test.cc and the selftests.
#pragma once

#include <cstdint>

#include "spec/helpers.h"
#include "verifier/step/arguments.h"

namespace skep::verifier {

// helper_types.cc: what register `number` holds is of the types that this argument takes.
Checked check_argument_type(Walk& walk, unsigned number, const spec::ArgInfo& wanted, const CallArguments& call);
// helper_arguments.cc: register `number` is a right argument for its place in call.helper's row.
Checked check_helper_argument(Walk& walk, unsigned number, CallArguments& call);
// helper_particular.cc: what some helpers ask beyond their arguments. Callbacks are entered here.
Checked check_particular(Walk& walk, CallArguments& call);
Checked check_function_address(Walk& walk, const CallArguments& call);  // bpf_get_func_ip, after all else
// helper_result.cc: r0, after r1 to r5 were clobbered.
Checked set_helper_result(Walk& walk, const CallArguments& call);
// helper_map.cc: what is remembered of the call for those who compile it; whether map and helper go together.
Checked record_map(Walk& walk, const CallArguments& call);
Checked check_map_use(Walk& walk, const CallArguments& call);
// helper_key.cc: the index of an array's element that register `number` points to, if it is known: call.key. Only where
// the rules look at it.
Checked read_constant_key(Walk& walk, unsigned number, CallArguments& call);
bool finds_element(const Walk& walk, const CallArguments& call);  // the array has one of that index

inline bool is(const CallArguments& call, spec::HelperId id) noexcept { return call.helper->id == id; }

}  // namespace skep::verifier
