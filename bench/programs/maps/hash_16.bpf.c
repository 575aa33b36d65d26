#define KEY_BYTES 16
#include "hash_lookups.h"
