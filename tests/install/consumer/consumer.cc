// The smallest user of an installed skep: it includes every public header there is and prints the version.
#include <cstdio>

#include "skep/version.h"
#if __has_include("skep/skep.h")
#include "skep/skep.h"
#endif

int main() { std::puts(SKEP_VERSION); }
