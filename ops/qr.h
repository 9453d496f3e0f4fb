#ifndef KEEPSAKE_OPS_QR_H
#define KEEPSAKE_OPS_QR_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"

/* Texts as QR codes (ISO/IEC 18004), for the camera of a terminal. */

/**
 * Print ${text} in UTF-8 blocks, two modules in each.
 *
 * colour  whether ${out} shows colours: black on white, whatever the terminal
 *         is.  Else it is to be shown light on dark.
 *
 * STATUS_OK        printed
 * STATUS_TOO_LARGE  no QR code has room for it
 * STATUS_NO_SPACE   no memory
 */
enum status qr_print(FILE *out, const char *text, bool colour);

/**
 * Write ${text} to a new file ${path}, whose name ends in .png or .svg.
 *
 * STATUS_MALFORMED  another name
 * other             as qr_print, or file_create
 */
enum status qr_write(const char *path, const char *text);

#endif
