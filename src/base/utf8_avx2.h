/* utf8_avx2.h - utf8_valid for a machine with AVX2; for utf8.c alone, which asks the machine. */
#ifndef BASE_UTF8_AVX2_H
#define BASE_UTF8_AVX2_H

#include "base/slice.h"

#ifdef __x86_64__
bool utf8_valid_avx2(struct slice text);
#endif

#endif
