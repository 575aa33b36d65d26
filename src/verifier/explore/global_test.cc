// Global functions: their prototypes, tags, calls; judged here and by the running kernel.
#include <gtest/gtest.h>

#include "verifier/testing_functions.h"

namespace skep::verifier {
namespace {

using testing::Function;
using testing::FunctionCase;

constexpr auto kStatic = btf::Linkage::Static;

// The main program calls f with what it has in r1 to r5.
FunctionCase calls(const char* title, const char* program, Function f) {
  return {title, program, {{"main"}, std::move(f)}};
}

const FunctionCase kCases[] = {
    calls("a number", "r1 = 5\ncall f\nr0 = 0\nexit\nf: r0 = r1\nexit", {"f", {{"int"}}}),
    calls("a number that is a pointer", "call f\nr0 = 0\nexit\nf: r0 = r1\nexit", {"f", {{"int"}}}),
    calls("a static function's", "call f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"int"}}, "int", kStatic}),
    calls("not called", "r0 = 0\nexit\nf: r0 = r9\nexit", {"f", {{"int"}}}),
    calls("called, and wrong", "r1 = 1\ncall f\nr0 = 0\nexit\nf: r0 = r9\nexit", {"f", {{"int"}}}),
    calls("returns a pointer", "r1 = 1\ncall f\nr0 = 0\nexit\nf: r0 = r10\nexit", {"f", {{"int"}}}),
    calls("r6 stays", "r6 = r1\nr1 = 1\ncall f\nr0 = *(u32 *)(r6 +0)\nexit\nf: r0 = 0\nexit", {"f", {{"int"}}}),
    calls("r1 does not", "r1 = 1\ncall f\nr0 = r1\nexit\nf: r0 = 0\nexit", {"f", {{"int"}}}),
    calls("its result is unknown", "r1 = 1\ncall f\nr1 = r10\nr1 += r0\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"int"}}}),
    calls("a context", "call f\nr0 = 0\nexit\nf: r0 = *(u32 *)(r1 +0)\nexit", {"f"}),
    calls("no context", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = *(u32 *)(r1 +0)\nexit", {"f"}),
    calls("a context with an offset", "r1 += 4\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f"}),
    calls("another type's context", "call f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"xdp *"}}}),
    calls("memory",
          "*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\ncall f\nr0 = 0\nexit\nf: if r1 == 0 goto +1\nr0 = *(u32 *)(r1 "
          "+0)\nr0 = 0\nexit",
          {"f", {{"int *"}}}),
    calls("memory that may be NULL",
          "*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\ncall f\nr0 = 0\nexit\nf: r0 = *(u32 *)(r1 +0)\nr0 = 0\nexit",
          {"f", {{"int *"}}}),
    calls("memory, and beyond",
          "*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\ncall f\nr0 = 0\nexit\nf: if r1 == 0 goto +1\nr0 = *(u32 *)(r1 "
          "+4)\nr0 = 0\nexit",
          {"f", {{"int *"}}}),
    calls("too little memory", "*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"pair *"}}}),
    calls("NULL for memory", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"int *"}}}),
    calls("a number for memory", "r1 = 7\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"int *"}}}),
    calls("NULL for what is not", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = *(u32 *)(r1 +0)\nexit",
          {"f", {{"int *", {"arg:nonnull"}}}}),
    calls("memory that is not NULL",
          "*(u64 *)(r10 -8) = 0\nr1 = r10\nr1 += -8\ncall f\nr0 = 0\nexit\nf: r0 = *(u32 *)(r1 +0)\nr0 = 0\nexit",
          {"f", {{"int *", {"arg:nonnull"}}}}),
    calls("memory of no known size", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"void *"}}}),
    calls("memory that is only declared", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"later *"}}}),
    calls("no number returned", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"int"}}, "none"}),
    calls("a pointer returned", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"int"}}, "int *"}),
    calls("a float", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"float"}}}),
    calls("six arguments", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"int"}, {"int"}, {"int"}, {"int"}, {"int"}, {"int"}}}),
    calls("more arguments than were passed", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"int"}, {"int"}}}),
    calls("a tagged context", "call f\nr0 = 0\nexit\nf: r0 = *(u32 *)(r1 +0)\nexit", {"f", {{"void *", {"arg:ctx"}}}}),
    calls("a tagged context of another type", "call f\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"pair *", {"arg:ctx"}}}}),
    calls("two tags", "call f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"ctx", {"arg:ctx", "arg:nonnull"}}}}),
    calls("a tag on a number", "r1 = 1\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"int", {"arg:nonnull"}}}}),
    calls("an unknown tag", "r1 = 1\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"int *", {"arg:what"}}}}),
    calls("a tag in a static function", "r1 = 1\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"int *", {"arg:nonnull"}}}, "int", kStatic}),
    calls("nullable memory", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"int *", {"arg:nullable"}}}}),
    calls("a task", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = *(u32 *)(r1 +0)\nr0 = 0\nexit",
          {"f", {{"task *", {"arg:trusted", "arg:nullable"}}}}),
    calls("a task, not NULL", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"task *", {"arg:trusted"}}}}),
    calls("a task that cannot be", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"task *", {"arg:trusted", "arg:nonnull"}}}}),
    calls("an object nobody knows", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"nobody *", {"arg:trusted"}}}}),
    calls("an arena's", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"void *", {"arg:arena"}}}}),
    calls("an arena's, and no pointer", "r1 = r10\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"void *", {"arg:arena"}}}}),
    calls("an arena's, and more", "r1 = 0\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"void *", {"arg:arena", "arg:nonnull"}}}}),
    calls("a dynptr",
          "r2 = 0\nr3 = r10\nr3 += -16\ncall bpf_dynptr_from_skb\nr1 = r10\nr1 += -16\ncall f\nr0 = 0\nexit\nf: r0 = "
          "0\nexit",
          {"f", {{"dynptr *"}}}),
    calls("a dynptr is read",
          "r2 = 0\nr3 = r10\nr3 += -16\ncall bpf_dynptr_from_skb\nr1 = r10\nr1 += -16\ncall f\nr0 = 0\nexit\nf: r0 = "
          "*(u64 *)(r1 +0)\nexit",
          {"f", {{"dynptr *"}}}),
    calls("a dynptr is asked for its size",
          "r2 = 0\nr3 = r10\nr3 += -16\ncall bpf_dynptr_from_skb\nr1 = r10\nr1 += -16\ncall f\nr0 = 0\nexit\nf: call "
          "bpf_dynptr_size\nr0 = 0\nexit",
          {"f", {{"dynptr *"}}}),
    calls("a dynptr that was not made",
          "*(u64 *)(r10 -8) = 0\n*(u64 *)(r10 -16) = 0\nr1 = r10\nr1 += -16\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit",
          {"f", {{"dynptr *"}}}),
    calls("half a dynptr",
          "r2 = 0\nr3 = r10\nr3 += -16\ncall bpf_dynptr_from_skb\nr1 = r10\nr1 += -8\ncall f\nr0 = 0\nexit\nf: r0 = "
          "0\nexit",
          {"f", {{"dynptr *"}}}),
    calls("no dynptr, the context", "call f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"dynptr *"}}}),
    calls("no dynptr, a number", "r1 = 1\ncall f\nr0 = 0\nexit\nf: r0 = 0\nexit", {"f", {{"dynptr *"}}}),
    {"one calls another",
     "r1 = 1\ncall f\nr0 = 0\nexit\nf: call g\nr0 = 0\nexit\ng: r0 = r8\nexit",
     {{"main"}, {"f", {{"int"}}}, {"g", {{"int"}}}}},
    {"one calls another, wrongly",
     "r1 = 1\ncall f\nr0 = 0\nexit\nf: r1 = r10\ncall g\nr0 = 0\nexit\ng: r0 = 0\nexit",
     {{"main"}, {"f", {{"int"}}}, {"g", {{"int"}}}}},
    {"under a lock",
     "*(u32 *)(r10 -4) = 0\nr2 = r10\nr2 += -4\nr1 = map[locks]\ncall bpf_map_lookup_elem\nif r0 == 0 goto out\nr1 = "
     "r0\nr1 += 4\ncall bpf_spin_lock\nr1 = 0\ncall f\nout: r0 = 0\nexit\nf: r0 = 0\nexit",
     {{"main"}, {"f", {{"int"}}}}},
    {"the packet is moved",
     "r6 = r1\nr7 = *(u32 *)(r1 +76)\nr8 = *(u32 *)(r1 +80)\nr0 = r7\nr0 += 8\nif r0 > r8 goto out\nr1 = r6\ncall "
     "f\nr0 = *(u8 *)(r7 +0)\nout: r0 = 0\nexit\nf: r2 = 0\ncall bpf_skb_pull_data\nr0 = 0\nexit",
     {{"main"}, {"f"}}},
    {"the packet is not moved",
     "r6 = r1\nr7 = *(u32 *)(r1 +76)\nr8 = *(u32 *)(r1 +80)\nr0 = r7\nr0 += 8\nif r0 > r8 goto out\nr1 = r6\ncall "
     "f\nr0 = *(u8 *)(r7 +0)\nout: r0 = 0\nexit\nf: r0 = 0\nexit",
     {{"main"}, {"f"}}},
    {"main's BTF says something else", "r0 = *(u32 *)(r1 +0)\nexit", {{"main", {{"int"}}}}},
    {"main returns nothing", "r0 = *(u32 *)(r1 +0)\nexit", {{"main", {{"ctx"}}, "none"}}},
    {"a global function as callback",
     "r1 = 3\nr2 = subprog[f]\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 0\nexit\nf: r0 = 0\nexit",
     {{"main"}, {"f", {{"int"}, {"void *"}}}}},
    {"a callback with BTF",
     "r1 = 3\nr2 = subprog[f]\nr3 = 0\nr4 = 0\ncall bpf_loop\nr0 = 0\nexit\nf: r0 = 0\nexit",
     {{"main"}, {"f", {{"int"}, {"int"}}, "int", kStatic}}},
};

Function callback(std::string_view name) { return {name, {{"int"}, {"void *"}}, "int", kStatic}; }

const FunctionCase kCallbacks[] = {
#include "verifier/explore/callback_cases.inc"
};

TEST(Callbacks, AgreeWithTheRunningKernel) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const FunctionCase& subject : kCallbacks) testing::expect_same_judgement(subject);
}

// Where Linux has no verdict to agree with.
TEST(Callbacks, AreNotLeftByTailCalls) {
  SKEP_NEEDS_KERNEL_BPF();  // for the map
  const std::string_view programs[] = {"cb: call f\nexit\nf: r1 = *(u64 *)(r2 +0)\n",
                                       "cb: r0 = 0\nexit\nf: r1 = *(u64 *)(r2 +0)\n"};
  for (const std::string_view functions : programs) {
    const std::string text =
        "*(u64 *)(r10 -8) = r1\nr1 = 3\nr2 = subprog[cb]\nr3 = r10\nr3 += -8\nr4 = 0\n"
        "call bpf_loop\nr2 = r10\nr2 += -8\ncall f\nr0 = 0\nexit\n" +
        std::string(functions) + "r2 = map[progs]\nr3 = 0\ncall bpf_tail_call\nr0 = 0\nexit";
    const bool in_callback = functions.starts_with("cb: call");
    const FunctionCase subject{"tail call", text.c_str(), {{"main"}, callback("cb"), callback("f")}};
    const testing::Prepared made(subject);
    ASSERT_TRUE(made.is_sound()) << made.program.problem;
    const Verdict verdict = testing::our_verdict(subject, made);
    EXPECT_EQ(verdict.result.has_value(), !in_callback) << verdict.log;
    if (in_callback) {
      EXPECT_EQ(verdict.result.error().message, "tail_call is not allowed in callbacks");
    }
  }
}

TEST(GlobalFunctions, AgreeWithTheRunningKernel) {
  SKEP_NEEDS_KERNEL_BPF();
  for (const FunctionCase& subject : kCases) testing::expect_same_judgement(subject);
}

}  // namespace
}  // namespace skep::verifier
