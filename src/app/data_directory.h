/* data_directory.h: the directory that keyturn writes to, made with all that lead to it, for nobody else to read.
 *
 * Fails     false; errno tells.
 */
#ifndef KEYTURN_APP_DATA_DIRECTORY_H
#define KEYTURN_APP_DATA_DIRECTORY_H

#include <stdbool.h>

bool data_directory_make(const char *path);

#endif
