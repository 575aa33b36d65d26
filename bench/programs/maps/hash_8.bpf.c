#define KEY_BYTES 8
#include "hash_lookups.h"
