package io.gpuquant.calibration;

import io.gpuquant.InputException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CoderResult;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/** Strict decoding of UTF-8: a malformed byte is an error with a line number, never a replacement character. */
final class Utf8 {

    private static final int[] BYTE_ORDER_MARK = {0xef, 0xbb, 0xbf};

    private Utf8() {}

    /**
     * The text of bytes that begin at the start of line {@code firstLine} of {@code file}. A byte order mark at the start of
     * the file is left out.
     *
     * @throws InputException when the bytes are not UTF-8
     */
    static String decode(byte[] bytes, Path file, long firstLine) {
        int start = firstLine == 1 && startsWithByteOrderMark(bytes) ? BYTE_ORDER_MARK.length : 0;
        ByteBuffer in = ByteBuffer.wrap(bytes, start, bytes.length - start);
        // UTF-8 never decodes to more UTF-16 units than it has bytes.
        CharBuffer out = CharBuffer.allocate(in.remaining());
        CharsetDecoder decoder = StandardCharsets.UTF_8
                .newDecoder()
                .onMalformedInput(CodingErrorAction.REPORT)
                .onUnmappableCharacter(CodingErrorAction.REPORT);
        CoderResult result = decoder.decode(in, out, true);
        if (result.isError()) {
            throw new InputException(file + " line " + lineOf(bytes, in.position(), firstLine)
                    + " is not valid UTF-8; convert the file to UTF-8");
        }
        return out.flip().toString();
    }

    private static boolean startsWithByteOrderMark(byte[] bytes) {
        if (bytes.length < BYTE_ORDER_MARK.length) {
            return false;
        }
        for (int i = 0; i < BYTE_ORDER_MARK.length; i++) {
            if ((bytes[i] & 0xff) != BYTE_ORDER_MARK[i]) {
                return false;
            }
        }
        return true;
    }

    private static long lineOf(byte[] bytes, int position, long firstLine) {
        long line = firstLine;
        for (int i = 0; i < position; i++) {
            if (bytes[i] == '\n') {
                line++;
            }
        }
        return line;
    }
}
