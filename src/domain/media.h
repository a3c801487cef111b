/* media.h: how many images and documents an inference body names; they cost more than their bytes tell.
 *
 * An image: a member image_url, or a part of type image or input_image (one that is both counts once).
 * A document (a video is one too): a text in file_data, file_url, video_url or in the url of an object under one of
 * them, or in source.url of a part that is no image, unless it begins with data: - those are bounded by their bytes.
 * Members are told by name at any depth and escapes are resolved; in doubt it counts, so that a hold is rather too large.
 *
 * Owns      nothing; one pass, no allocation.
 * Fails     never; of a text that is no JSON, or deeper than JSON_DEPTH_MAX, it is what was seen up to there.
 * Source    openrouter-api 4 (parts of the three dialects), design 5.1 (the hold is an upper bound).
 */
#ifndef KEYTURN_DOMAIN_MEDIA_H
#define KEYTURN_DOMAIN_MEDIA_H

#include "base/span.h"

struct media {
    size_t images, documents;
};

struct media media_count(struct span body);

#endif
