/* uv_loop.h: libuv's own loop, for the files of io alone. */
#ifndef KEYTURN_IO_UV_LOOP_H
#define KEYTURN_IO_UV_LOOP_H

#include "io/loop.h"

#include <uv.h>

uv_loop_t *loop_uv(struct loop *loop);

#endif
