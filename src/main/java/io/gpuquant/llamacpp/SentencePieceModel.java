package io.gpuquant.llamacpp;

import io.gpuquant.InputException;
import io.gpuquant.file.MappedFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The parts of a tokenizer.model that llama.cpp asks for. The file is a protocol buffer.
 *
 * @param addsSpace whether a space is put before a text
 * @see <a href="https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto">sentencepiece_model.proto,
 *     {@code ModelProto}</a>
 */
record SentencePieceModel(List<Piece> pieces, boolean addsSpace) {

    private static final int PIECES = 1;
    private static final int NORMALIZER = 3;
    private static final int ADD_DUMMY_PREFIX = 3;

    SentencePieceModel {
        pieces = List.copyOf(pieces);
    }

    /** A token. */
    record Piece(String text, float score, TokenTable.Type type) {}

    static SentencePieceModel read(Path file) {
        try {
            Message message = new Message(ByteBuffer.wrap(Files.readAllBytes(file)), file);
            List<Piece> pieces = new ArrayList<>();
            boolean addsSpace = true;
            while (message.next()) {
                if (message.field == PIECES) {
                    pieces.add(piece(message.message()));
                } else if (message.field == NORMALIZER) {
                    addsSpace = addsSpace(message.message());
                } else {
                    message.skip();
                }
            }
            if (pieces.isEmpty()) {
                throw message.damaged();
            }
            return new SentencePieceModel(pieces, addsSpace);
        } catch (IOException e) {
            throw MappedFile.unreadable(file, e);
        }
    }

    private static Piece piece(Message message) {
        String text = "";
        float score = 0;
        int type = 1;
        while (message.next()) {
            switch (message.field) {
                case 1 ->
                    text = StandardCharsets.UTF_8
                            .decode(message.message().bytes)
                            .toString();
                case 2 -> score = message.float32();
                case 3 -> type = (int) message.varint();
                default -> message.skip();
            }
        }
        return new Piece(
                text,
                score,
                switch (type) {
                    case 2 -> TokenTable.Type.UNKNOWN;
                    case 3 -> TokenTable.Type.CONTROL;
                    case 5 -> TokenTable.Type.UNUSED;
                    case 6 -> TokenTable.Type.BYTE;
                    // User-defined pieces of the model itself are cut like others.
                    default -> TokenTable.Type.NORMAL;
                });
    }

    private static boolean addsSpace(Message message) {
        boolean adds = true;
        while (message.next()) {
            if (message.field == ADD_DUMMY_PREFIX) {
                adds = message.varint() != 0;
            } else {
                message.skip();
            }
        }
        return adds;
    }

    /** Walks through the fields of a message, never beyond its end. */
    private static final class Message {

        private static final int VARINT = 0;
        private static final int FIXED64 = 1;
        private static final int BYTES = 2;
        private static final int FIXED32 = 5;

        private final ByteBuffer bytes;
        private final Path file;
        private int field;
        private int wire;

        Message(ByteBuffer bytes, Path file) {
            this.bytes = bytes.order(ByteOrder.LITTLE_ENDIAN);
            this.file = file;
        }

        boolean next() {
            if (!bytes.hasRemaining()) {
                return false;
            }
            long tag = rawVarint();
            field = (int) (tag >>> 3);
            wire = (int) (tag & 7);
            return true;
        }

        long varint() {
            require(wire == VARINT);
            return rawVarint();
        }

        private long rawVarint() {
            long value = 0;
            for (int shift = 0; shift < 64; shift += 7) {
                require(bytes.hasRemaining());
                byte part = bytes.get();
                value |= (long) (part & 0x7f) << shift;
                if (part >= 0) {
                    return value;
                }
            }
            throw damaged();
        }

        float float32() {
            require(wire == FIXED32 && bytes.remaining() >= 4);
            return bytes.getFloat();
        }

        Message message() {
            require(wire == BYTES);
            long length = rawVarint();
            require(length >= 0 && length <= bytes.remaining());
            ByteBuffer part = bytes.slice(bytes.position(), (int) length);
            bytes.position(bytes.position() + (int) length);
            return new Message(part, file);
        }

        void skip() {
            switch (wire) {
                case VARINT -> rawVarint();
                case FIXED64 -> advance(8);
                case FIXED32 -> advance(4);
                case BYTES -> message();
                default -> throw damaged();
            }
        }

        private void advance(int count) {
            require(bytes.remaining() >= count);
            bytes.position(bytes.position() + count);
        }

        private void require(boolean holds) {
            if (!holds) {
                throw damaged();
            }
        }

        InputException damaged() {
            return new InputException(file + " is no SentencePiece model (at byte " + bytes.position()
                    + " of a message); get the file again, or remove it so that tokenizer.json is used");
        }
    }
}
