/* SPDX-License-Identifier: MIT */
/* trace.h - the steps of a decision, told while it is made, for `httpsocket policy` and debugging.
 */
#ifndef ACCESS_TRACE_H
#define ACCESS_TRACE_H

struct access_trace {
    /* `what`: origin, target, question, record, address, consent, ...; `text` for people. Both
     * borrowed. */
    void (*step)(struct access_trace *trace, const char *what, const char *text);
};

/* Does nothing without a trace (NULL). Control bytes of the text become `.`, since the text may
 * hold bytes that a peer sent. */
void access_trace(struct access_trace *trace, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
