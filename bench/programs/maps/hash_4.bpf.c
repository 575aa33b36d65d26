#define KEY_BYTES 4
#include "hash_lookups.h"
