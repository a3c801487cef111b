/*
 * The listening socket: opened, and closed for a while when connections are to be refused.
 */
#ifndef SIM_SERVER_H
#define SIM_SERVER_H

#include <stdint.h>

struct sim;

int server_listen(struct sim *sim); /* a libuv error, or 0 */
int server_port(const struct sim *sim);

/* No listener and no idle connections for that long; 0 ends it at once. */
void server_refuse(struct sim *sim, int64_t delay_ms);
void server_close(struct sim *sim);

#endif
