#define KEY_BYTES 40
#include "hash_lookups.h"
