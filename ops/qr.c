#include "qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/util.h"

#define QUIET       4 /* light modules around it, ISO/IEC 18004 clause 9.1 */
#define PIXELS      8 /* of a module's side */
#define ANSI_COLOUR "\033[30;107m"
#define ANSI_PLAIN  "\033[0m"

static enum status encode(QRcode **out, const char *text)
{
	errno = 0;
	*out = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_M);
	if (*out)
		return STATUS_OK;
	return errno == ERANGE ? STATUS_TOO_LARGE : STATUS_NO_SPACE;
}

/* How many modules a side has, with what is quiet around it. */
static int side_of(const QRcode *code)
{
	return code->width + 2 * QUIET;
}

static bool is_dark(const QRcode *code, int x, int y)
{
	x -= QUIET;
	y -= QUIET;
	return x >= 0 && y >= 0 && x < code->width && y < code->width &&
	       code->data[y * code->width + x] & 1;
}

/* ---- terminal ---- */

enum status qr_print(FILE *out, const char *text, bool colour)
{
	/* By which halves are drawn: the upper is 2, the lower 1. */
	static const char *const halves[] = { " ", "▄", "▀", "█" };
	QRcode *code;

	enum status st = encode(&code, text);
	if (st != STATUS_OK)
		return st;
	for (int y = 0; y < side_of(code); y += 2) {
		if (colour)
			fputs(ANSI_COLOUR, out);
		for (int x = 0; x < side_of(code); x++) {
			/* Without colour what is drawn is what is light. */
			bool upper = is_dark(code, x, y) == colour;
			bool lower = is_dark(code, x, y + 1) == colour;
			fputs(halves[2 * upper + lower], out);
		}
		fprintf(out, "%s\n", colour ? ANSI_PLAIN : "");
	}
	QRcode_free(code);
	return STATUS_OK;
}

/* ---- SVG ---- */

static enum status svg_write(struct bytes *out, const QRcode *code)
{
	const int side = side_of(code);
	char line[256];

	snprintf(line, sizeof(line),
	    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
	    "height=\"%d\" viewBox=\"0 0 %d %d\" "
	    "shape-rendering=\"crispEdges\">\n"
	    "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
	    side * PIXELS, side * PIXELS, side, side, side, side);
	enum status st = bytes_append(out, slice_text(line));
	for (int y = 0; y < side; y++) {
		for (int x = 0; x < side && st == STATUS_OK; x++) {
			if (!is_dark(code, x, y))
				continue;
			snprintf(line, sizeof(line),
			    "<rect x=\"%d\" y=\"%d\" width=\"1\" "
			    "height=\"1\"/>\n",
			    x, y);
			st = bytes_append(out, slice_text(line));
		}
	}
	return st == STATUS_OK ? bytes_append(out, slice_text("</svg>\n")) : st;
}

/* ---- PNG: W3C Portable Network Graphics, a bit a pixel, not packed ---- */

#define PNG_SIGNATURE    "\x89PNG\r\n\x1a\n"
#define PNG_HEADER_BYTES 13
#define CRC_POLYNOMIAL   0xedb88320u
#define ADLER_MODULUS    65521u
#define ROW_BYTES_MAX    ((177 + 2 * QUIET) * PIXELS / 8 + 1)

/* PNG annex D: of type and data of a chunk. */
static uint32_t crc_of(struct slice bytes)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < bytes.len; i++) {
		crc ^= bytes.data[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ CRC_POLYNOMIAL : crc >> 1;
	}
	return ~crc;
}

/* RFC 1950 clause 8: of what is in the stream. */
static void adler_add(uint32_t *a, uint32_t *b, struct slice bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		*a = (*a + bytes.data[i]) % ADLER_MODULUS;
		*b = (*b + *a) % ADLER_MODULUS;
	}
}

static enum status append_be32(struct bytes *out, uint32_t number)
{
	uint8_t bytes[4];

	put_be32(bytes, number);
	return bytes_append(out, slice_of(bytes, sizeof(bytes)));
}

static enum status png_chunk(
    struct bytes *out, const char *type, struct slice data)
{
	enum status st = append_be32(out, (uint32_t)data.len);
	size_t begin = out->len;

	if (st == STATUS_OK)
		st = bytes_append(out, slice_text(type));
	if (st == STATUS_OK)
		st = bytes_append(out, data);
	if (st != STATUS_OK)
		return st;
	return append_be32(
	    out, crc_of(slice_of(out->data + begin, out->len - begin)));
}

/* A row of pixels, behind the byte that says that it is not filtered. */
static size_t png_row(
    uint8_t row[static ROW_BYTES_MAX], const QRcode *code, int y)
{
	const int side = side_of(code);

	row[0] = 0;
	for (int x = 0; x < side; x++) /* PIXELS is 8: a byte a module */
		row[1 + x] = is_dark(code, x, y) ? 0x00 : 0xff;
	return 1 + (size_t)side;
}

/* RFC 1951 clause 3.2.4: a row is a block that is stored as it is. */
static enum status png_data(struct bytes *out, const QRcode *code)
{
	static const uint8_t zlib_header[] = { 0x78, 0x01 };
	const int rows = side_of(code) * PIXELS;
	uint32_t a = 1, b = 0;
	uint8_t row[ROW_BYTES_MAX] = { 0 };

	enum status st =
	    bytes_append(out, slice_of(zlib_header, sizeof(zlib_header)));
	for (int y = 0; y < rows && st == STATUS_OK; y++) {
		size_t len = png_row(row, code, y / PIXELS);
		const uint8_t head[] = { y == rows - 1, (uint8_t)len,
			(uint8_t)(len >> 8), (uint8_t)~len,
			(uint8_t)(~len >> 8) };
		adler_add(&a, &b, slice_of(row, len));
		st = bytes_append(out, slice_of(head, sizeof(head)));
		if (st == STATUS_OK)
			st = bytes_append(out, slice_of(row, len));
	}
	return st == STATUS_OK ? append_be32(out, b << 16 | a) : st;
}

static enum status png_write(struct bytes *out, const QRcode *code)
{
	const uint32_t pixels = (uint32_t)side_of(code) * PIXELS;
	/* 1 bit, grey, then compression, filter and interlacing: the usual */
	uint8_t header[PNG_HEADER_BYTES] = { [8] = 1 };
	struct bytes data = { 0 };

	put_be32(header, pixels);
	put_be32(header + 4, pixels);
	enum status st = bytes_append(
	    out, slice_of(PNG_SIGNATURE, sizeof(PNG_SIGNATURE) - 1));
	if (st == STATUS_OK)
		st = png_chunk(out, "IHDR", slice_of(header, sizeof(header)));
	if (st == STATUS_OK)
		st = png_data(&data, code);
	if (st == STATUS_OK)
		st = png_chunk(out, "IDAT", bytes_slice(&data));
	if (st == STATUS_OK)
		st = png_chunk(out, "IEND", slice_of("", 0));
	bytes_clear(&data);
	return st;
}

enum status qr_write(const char *path, const char *text)
{
	static const struct {
		const char *suffix;
		enum status (*write)(struct bytes *out, const QRcode *code);
	} kinds[] = {
		{ ".png", png_write },
		{ ".svg", svg_write },
	};
	enum status (*write)(struct bytes *, const QRcode *) = NULL;
	struct bytes file = { 0 };
	const char *suffix = strrchr(path, '.');
	QRcode *code;

	for (size_t i = 0; suffix && i < nitems(kinds); i++)
		if (strcmp(suffix, kinds[i].suffix) == 0)
			write = kinds[i].write;
	if (!write)
		return STATUS_MALFORMED;
	enum status st = encode(&code, text);
	if (st != STATUS_OK)
		return st;
	st = write(&file, code);
	if (st == STATUS_OK)
		st = file_create(path, bytes_slice(&file), 0644);
	bytes_clear(&file);
	QRcode_free(code);
	return st;
}
