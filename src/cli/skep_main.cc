#include "cli/command.h"

int main(int argc, char** argv) {
  skep::cli::Program program;
  return skep::cli::run_tool(program, argc, argv);
}
