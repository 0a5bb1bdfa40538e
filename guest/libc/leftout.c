/* SPDX-License-Identifier: MIT */
/*
 * Parts of the libraries that the image does without. Each archive member that a used one mentions
 * is linked whole, reached or not; defining its entry points here keeps it out: 120 KB in all.
 *
 * - libbz2's compressor. Nobody opens a stream for compression.
 * - libzstd's decoders for the formats of its versions 0.5 to 0.7, of 2016. core/unpack looks at
 *   each frame's magic number before libzstd sees it, and takes none but the current one.
 */
#include "guest/panic.h"

#define LEFT_OUT(name)                                                                             \
    void name(void);                                                                               \
    void name(void)                                                                                \
    {                                                                                              \
        guest_panic("left out of this image: " #name, (uintptr_t)__builtin_return_address(0), 0);  \
    }

#define LEFT_OUT_ZSTD(v)                                                                           \
    LEFT_OUT(ZBUFFv##v##_createDCtx)                                                               \
    LEFT_OUT(ZBUFFv##v##_decompressContinue)                                                       \
    LEFT_OUT(ZBUFFv##v##_decompressInitDictionary)                                                 \
    LEFT_OUT(ZBUFFv##v##_freeDCtx)                                                                 \
    LEFT_OUT(ZSTDv##v##_createDCtx)                                                                \
    LEFT_OUT(ZSTDv##v##_decompress_usingDict)                                                      \
    LEFT_OUT(ZSTDv##v##_findFrameSizeInfoLegacy)                                                   \
    LEFT_OUT(ZSTDv##v##_freeDCtx)                                                                  \
    LEFT_OUT(ZSTDv##v##_getFrameParams)

LEFT_OUT(BZ2_compressBlock)
LEFT_OUT_ZSTD(05)
LEFT_OUT_ZSTD(06)
LEFT_OUT_ZSTD(07)
