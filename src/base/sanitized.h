// SKEP_SANITIZED: 1 where a sanitizer watches the memory of this build, 0 elsewhere. g++ and clang say it differently.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKEP_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SKEP_SANITIZED 1
#endif
#endif
#ifndef SKEP_SANITIZED
#define SKEP_SANITIZED 0
#endif
