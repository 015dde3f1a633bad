/** @file
 *  Text as UTF-8, whatever bytes it came as: a command line, a path and another library's message can be
 *  anything, and readers of HDF5, JSON and HTML refuse what is not UTF-8 (RFC 3629). */
#ifndef PARCEL_TEXT_IMPL_H
#define PARCEL_TEXT_IMPL_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool parcel__text_is_next(unsigned char byte)
{
  return byte >> 6 == 2;
}

/** The length in bytes of the character at `text`, which is not at its end; 0 where its bytes are not UTF-8:
 *  overlong forms, surrogates and what is above U+10FFFF included (RFC 3629, section 4). */
static inline size_t parcel__text_character(const char *text)
{
  const unsigned char *b = (const unsigned char *)text;
  if (b[0] < 0x80)
    return 1;
  if (b[0] < 0xc2 || b[0] > 0xf4 || !parcel__text_is_next(b[1]))
    return 0;
  if (b[0] < 0xe0)
    return 2;
  if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf0 && b[1] < 0x90) ||
      (b[0] == 0xf4 && b[1] > 0x8f) || !parcel__text_is_next(b[2]))
    return 0;
  if (b[0] < 0xf0)
    return 3;
  return parcel__text_is_next(b[3]) ? 4 : 0;
}

/** Copies `from` as valid UTF-8, at most size - 1 bytes of it, with a closing zero. A byte that is not part
 *  of a character becomes U+FFFD (3 bytes; '?' where only that fits). Cuts between characters.
 *
 *  to, from  do not overlap
 *  size      at least 1; 3 * strlen(from) + 1 always suffices
 *  Returns the length of the copy. */
static inline size_t parcel__text_copy(char *to, size_t size, const char *from)
{
  static const char replacement[] = "\xef\xbf\xbd";
  size_t length = 0;
  while (*from != '\0') {
    const size_t valid = parcel__text_character(from);
    const size_t room = size - 1 - length;
    const char *piece = valid > 0 ? from : room < 3 ? "?" : replacement;
    const size_t bytes = valid > 0 ? valid : room < 3 ? 1 : 3;
    if (bytes > room)
      break;
    memcpy(to + length, piece, bytes);
    length += bytes;
    from += valid > 0 ? valid : 1;
  }
  to[length] = '\0';
  return length;
}

/** The length of the longest start of `text` of at most `most` bytes that ends between two characters. */
static inline size_t parcel__text_fit(const char *text, size_t most)
{
  size_t length = strnlen(text, most);
  if (text[length] == '\0')
    return length;
  for (int k = 0; k < 3 && length > 0 && parcel__text_is_next((unsigned char)text[length]); ++k)
    --length;
  return length;
}

/** Makes one line of valid UTF-8: spaces take the place of its control characters, U+0000 to U+001F and
 *  U+007F to U+009F, byte by byte. Returns `text`. */
static inline char *parcel__text_line(char *text)
{
  for (unsigned char *c = (unsigned char *)text; *c != '\0'; ++c)
    if (*c < ' ' || *c == 0x7f)
      *c = ' ';
    else if (*c == 0xc2 && parcel__text_is_next(c[1]) && c[1] < 0xa0)
      c[0] = c[1] = ' ';
  return text;
}

#endif
