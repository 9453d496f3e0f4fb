#include "category.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/util.h"

/* clang-format off */
static const char *const words[CATEGORY_COUNT] = {
	[CATEGORY_CONTACTS]  = "contacts",
	[CATEGORY_SMS]       = "sms",
	[CATEGORY_MMS]       = "mms",
	[CATEGORY_EMAIL]     = "email",
	[CATEGORY_CALLS]     = "call_log",
	[CATEGORY_MESSAGES]  = "messages",
	[CATEGORY_CALENDAR]  = "calendar",
	[CATEGORY_NOTES]     = "notes",
	[CATEGORY_PHOTOS]    = "photos",
	[CATEGORY_MUSIC]     = "music",
	[CATEGORY_VIDEO]     = "video",
	[CATEGORY_BOOKS]     = "books",
	[CATEGORY_DOCUMENTS] = "documents",
	[CATEGORY_APPS]      = "apps",
	[CATEGORY_SETTINGS]  = "settings",
	[CATEGORY_OTHER]     = "other",
};

/* Extensions, each between blanks, lower case. */
static const struct {
	enum category category;
	const char *extensions;
} kinds[] = {
	{ CATEGORY_CONTACTS,  " vcf vcard ldif " },
	{ CATEGORY_MMS,       " mms pdu " },
	{ CATEGORY_EMAIL,     " eml emlx mbox msg pst ost " },
	{ CATEGORY_MESSAGES,  " crypt12 crypt14 crypt15 " },
	{ CATEGORY_CALENDAR,  " ics ical ifb vcs " },
	{ CATEGORY_NOTES,     " vnt enex note memo md " },
	{ CATEGORY_PHOTOS,    " jpg jpeg jpe png gif bmp webp heic heif avif "
	                      "tif tiff dng raw cr2 cr3 nef arw orf rw2 svg " },
	{ CATEGORY_MUSIC,     " mp3 m4a aac flac ogg oga opus wav wma amr mid "
	                      "midi aif aiff m3u m3u8 " },
	{ CATEGORY_VIDEO,     " mp4 m4v mkv webm avi mov 3gp 3g2 mpg mpeg wmv "
	                      "flv ts mts m2ts " },
	{ CATEGORY_BOOKS,     " epub mobi azw azw3 fb2 djvu cbz cbr " },
	{ CATEGORY_DOCUMENTS, " pdf txt text doc docx odt rtf xls xlsx ods csv "
	                      "tsv ppt pptx odp pages numbers key tex htm html " },
	{ CATEGORY_APPS,      " apk apks xapk aab ipa obb jar deb rpm " },
	{ CATEGORY_SETTINGS,  " conf cfg ini toml yaml yml plist prefs "
	                      "properties " },
};

/* Names that say too little: the first bytes decide. */
static const char ambiguous[] = " xml dat bak json ";

/* What a file that no extension settles begins with. */
static const struct {
	enum category category;
	const char *start;
} starts[] = {
	{ CATEGORY_CONTACTS,  "BEGIN:VCARD" },
	{ CATEGORY_CALENDAR,  "BEGIN:VCALENDAR" },
	{ CATEGORY_NOTES,     "BEGIN:VNOTE" },
	{ CATEGORY_SMS,       "BEGIN:VMSG" },
	{ CATEGORY_EMAIL,     "From " },
	{ CATEGORY_EMAIL,     "Return-Path:" },
	{ CATEGORY_DOCUMENTS, "%PDF-" },
	{ CATEGORY_PHOTOS,    "\xff\xd8\xff" },
	{ CATEGORY_PHOTOS,    "\x89PNG" },
	{ CATEGORY_MUSIC,     "ID3" },
	{ CATEGORY_MUSIC,     "fLaC" },
	{ CATEGORY_MUSIC,     "OggS" },
	{ CATEGORY_MUSIC,     "#!AMR" },
};

/* The outermost element of an XML file. */
static const struct {
	enum category category;
	const char *name;
} elements[] = {
	{ CATEGORY_SMS,       "smses" },	/* SMS Backup & Restore: SMS and MMS */
	{ CATEGORY_CALLS,     "calls" },	/* likewise */
	{ CATEGORY_NOTES,     "en-export" },
	{ CATEGORY_SETTINGS,  "map" },		/* Android's shared preferences */
	{ CATEGORY_SETTINGS,  "plist" },
	{ CATEGORY_DOCUMENTS, "html" },
	{ CATEGORY_PHOTOS,    "svg" },
};
/* clang-format on */

const char *category_word(enum category category)
{
	if ((unsigned int)category >= CATEGORY_COUNT || !words[category])
		category = CATEGORY_OTHER;
	return words[category];
}

enum status category_from_word(enum category *out, const char *word)
{
	for (size_t i = CATEGORY_CONTACTS; i < CATEGORY_COUNT; i++) {
		if (strcmp(words[i], word) != 0)
			continue;
		*out = (enum category)i;
		return STATUS_OK;
	}
	return STATUS_NOT_FOUND;
}

/** Whether ${list} holds ${extension} between blanks, in either case. */
static bool listed(const char *list, const char *extension)
{
	size_t len = strlen(extension);

	if (len == 0 || strchr(extension, ' '))
		return false;
	for (const char *at = strcasestr(list, extension); at;
	     at = strcasestr(at + 1, extension))
		if (at[-1] == ' ' && at[len] == ' ')
			return true;
	return false;
}

enum status category_by_name(enum category *out,
    const struct category_rule *rules, size_t rules_count, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	const char *dot = strrchr(name, '.');

	for (size_t i = 0; i < rules_count; i++) {
		if (fnmatch(rules[i].glob, path, 0) != 0)
			continue;
		*out = rules[i].category;
		return STATUS_OK;
	}
	if (!dot || dot == name || listed(ambiguous, dot + 1))
		return STATUS_NOT_FOUND;
	for (size_t i = 0; i < nitems(kinds); i++) {
		if (!listed(kinds[i].extensions, dot + 1))
			continue;
		*out = kinds[i].category;
		return STATUS_OK;
	}
	*out = CATEGORY_OTHER;
	return STATUS_OK;
}

static bool starts_with(struct slice bytes, const char *text)
{
	size_t len = strlen(text);

	return bytes.len >= len && memcmp(bytes.data, text, len) == 0;
}

static void skip(struct slice *bytes, size_t len)
{
	bytes->data += len;
	bytes->len -= len;
}

/** Move ${xml} behind its next ">"; false where there is none. */
static bool skip_tag(struct slice *xml)
{
	const uint8_t *end = memchr(xml->data, '>', xml->len);

	if (!end)
		return false;
	skip(xml, (size_t)(end - xml->data) + 1);
	return true;
}

/** The category of the outermost element of ${xml}, or CATEGORY_OTHER. */
static enum category by_element(struct slice xml)
{
	while (xml.len > 0) {
		if (strchr(" \t\r\n", xml.data[0]) && xml.data[0] != '\0') {
			skip(&xml, 1);
		} else if (starts_with(xml, "<?") || starts_with(xml, "<!")) {
			if (!skip_tag(&xml))
				break;
		} else {
			break;
		}
	}
	if (!starts_with(xml, "<"))
		return CATEGORY_OTHER;
	skip(&xml, 1);
	for (size_t i = 0; i < nitems(elements); i++) {
		size_t len = strlen(elements[i].name);
		if (starts_with(xml, elements[i].name) && xml.len > len &&
		    memchr(" \t\r\n/>", xml.data[len], 6))
			return elements[i].category;
	}
	return CATEGORY_OTHER;
}

enum category category_of(const struct category_rule *rules, size_t rules_count,
    const char *path, struct slice head)
{
	enum category category = CATEGORY_OTHER;

	if (category_by_name(&category, rules, rules_count, path) == STATUS_OK)
		return category;
	if (starts_with(head, "\xef\xbb\xbf")) /* a byte order mark */
		skip(&head, 3);
	for (size_t i = 0; i < nitems(starts); i++)
		if (starts_with(head, starts[i].start))
			return starts[i].category;
	return by_element(head);
}
