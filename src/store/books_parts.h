/* books_parts.h: names of the sums, for the files books*.c. */
#ifndef KEYTURN_STORE_BOOKS_PARTS_H
#define KEYTURN_STORE_BOOKS_PARTS_H

#include "store/books.h"
#include "store/schema.h"

#define SUMS_PART_USER SPAN("user")
#define SUMS_PART_ALL SPAN("all")
enum { SUMS_DATE_SIZE = sizeof("2026-11-20") - 1, SUMS_MONTH_SIZE = sizeof("2026-11") - 1 };

/* There are sums of days and of months, not of weeks. */
struct span books_sums_key(struct span window, struct span part, char ret_name[STORE_KEY_MAX]);

#endif
