/* whole_file.h: a file read at once.
 *
 * Fails     whole_file_read: false and a reason without the path ("cannot be opened: Permission denied"); what was read
 *           until then stays in the buffer.
 */
#ifndef KEYTURN_APP_WHOLE_FILE_H
#define KEYTURN_APP_WHOLE_FILE_H

#include "base/buffer.h"

enum { WHOLE_FILE_ERROR_SIZE = 128 };

/* The cap is the buffer's. ret_for_all: every user of the machine may read or change the file; may be NULL. */
bool whole_file_read(const char *path, struct buffer *out, bool *ret_for_all,
                     char ret_error[WHOLE_FILE_ERROR_SIZE]);

#endif
