/* SPDX-License-Identifier: MIT */
/* What a page asks the gateway for: accepted is only what is within its limits, and the target ends
 * in the port that was read. */
#include "fuzz.h"

#include "gateway/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tcp_request r;
    char port[8];
    if (tcp_request_parse(slice_make(data, size), &r))
        return 0;
    size_t len = strlen(r.target);
    int port_len = snprintf(port, sizeof(port), ":%u", r.port);
    FUZZ_CHECK(size <= TCP_REQUEST_MAX && r.port > 0);
    FUZZ_CHECK(r.host_len > 0 && r.host_len <= TCP_HOST_MAX + 2);
    FUZZ_CHECK(len == r.host_len + (size_t)port_len);
    FUZZ_CHECK(strcmp(r.target + r.host_len, port) == 0);
    FUZZ_CHECK(r.keep_alive_s <= 32767);
    return 0;
}
