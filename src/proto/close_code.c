/* SPDX-License-Identifier: MIT */
#include "proto/close_code.h"

unsigned close_code_of_status(int status)
{
    return status == 503 ? CLOSE_TRY_AGAIN_LATER : 4000 + (unsigned)status;
}

int close_code_status(unsigned code)
{
    if (code == CLOSE_SERVICE_RESTART || code == CLOSE_TRY_AGAIN_LATER)
        return 503;
    return code >= 4300 && code < 4600 ? (int)code - 4000 : 409;
}
