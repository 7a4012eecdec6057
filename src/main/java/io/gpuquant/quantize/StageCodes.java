package io.gpuquant.quantize;

import io.gpuquant.device.DeviceBuffer;
import io.gpuquant.device.DeviceMatrix;

/** The codes of all linears of a stage, on the device. */
public sealed interface StageCodes {

    /** The memory that they are in. */
    DeviceBuffer buffer();

    /**
     * The same as bytes.
     *
     * @throws IllegalArgumentException when they are words
     */
    static Bytes bytes(StageCodes codes) {
        if (codes instanceof Bytes bytes) {
            return bytes;
        }
        throw new IllegalArgumentException(codes.buffer().name() + " are not bytes");
    }

    /**
     * A byte for each.
     *
     * @param matrix U8 [outputs of all, in], columns in the order of the method
     * @param positions {@code positions[i]} is the column of {@code matrix} that holds input feature i
     */
    @SuppressWarnings("ArrayRecordComponent") // Bulk data that is made once and only read.
    record Bytes(DeviceMatrix matrix, int[] positions) implements StageCodes {

        @Override
        public DeviceBuffer buffer() {
            return matrix.buffer();
        }
    }

    /**
     * As GPTQ checkpoints pack them.
     *
     * @param matrix I32 [1, outputs of all * words of each]: of each linear in turn the dense matrix [in * bits / 32, out]
     * @param wordsOfOutput in * bits / 32
     */
    record Words(DeviceMatrix matrix, int wordsOfOutput) implements StageCodes {

        @Override
        public DeviceBuffer buffer() {
            return matrix.buffer();
        }

        /**
         * The words of a linear: I32 [in * bits / 32, out], dense.
         *
         * @param first how many outputs the linears before it have
         */
        public DeviceMatrix linear(int first, int out) {
            return matrix.columns(first * wordsOfOutput, out * wordsOfOutput).reshape(wordsOfOutput, out);
        }
    }
}
